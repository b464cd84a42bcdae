"""Quantile regression of interval widths with XGBoost."""

from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import xgboost
from numpy.typing import NDArray

from mlops.forecasting.intervals.conformal import ascending
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.models.settings import MemberSettings
from mlops.forecasting.types import HORIZONS, FloatArray

SMALLEST_WIDTH = 1e-3
STEM = "quantile_width"

Folds = tuple[xgboost.Booster, ...]


class QuantileTrees:
    """One booster per horizon and left-out period; predictions average them.

    An unused horizon has no boosters, and its width is 1.
    """

    def __init__(self, boosters: tuple[Folds, ...]) -> None:
        self._boosters = boosters

    @classmethod
    def fit(
        cls, features: FloatArray, scores: FloatArray, rows: IntArray, settings: MemberSettings, *, since: int
    ) -> tuple[Self, FloatArray]:
        """Fit the trees and return out-of-fold widths of the samples from row `since`.

        features: shape (n, k); scores: shape (n, h), NaN where the target is not known; rows: shape (n,), sessions.
        Widths have the shape (n, h, levels), NaN before `since`. A booster excludes samples whose outcome overlaps its
        left-out period.
        """
        sessions = np.unique(rows)
        cuts = np.linspace(0, len(sessions), settings.quantiles.folds + 1).astype(int)
        unseen = np.full((*scores.shape, len(LEVELS)), np.nan)
        boosters = []
        for position, horizon in enumerate(HORIZONS):
            known = np.isfinite(scores[:, position])
            folds = []
            for start, end in pairwise(cuts.tolist()):
                first, last = sessions[start], sessions[end - 1]
                learns = known & ((rows + horizon < first) | (rows > last + horizon))
                booster = _fit_one(features[learns], scores[learns, position], settings)
                left_out = (rows >= max(first, since)) & (rows <= last)
                if left_out.any():
                    unseen[left_out, position] = _widths_of((booster,), features[left_out])
                folds.append(booster)
            boosters.append(tuple(folds))
        return cls(tuple(boosters)), unseen

    def quantile_width(self, features: FloatArray) -> FloatArray:
        """Return the widths by level, shape (n, h, levels), ascending."""
        quantile_width = np.ones((len(features), len(self._boosters), len(LEVELS)))
        for position, folds in enumerate(self._boosters):
            if folds and len(features):
                quantile_width[:, position] = _widths_of(folds, features)
        return quantile_width

    @classmethod
    def nothing(cls) -> Self:
        """Return a model without trees."""
        return cls(((),) * len(HORIZONS))

    def only(self, used: NDArray[np.bool_]) -> Self:
        """Return the model with trees at the used horizons only; `used`: shape (h,)."""
        pairs = zip(self._boosters, used.tolist(), strict=True)
        return type(self)(tuple(folds if wanted else () for folds, wanted in pairs))

    def save(self, folder: Path) -> None:
        """Write one file per booster."""
        for position, folds in enumerate(self._boosters):
            for number, booster in enumerate(folds):
                booster.save_model(folder / f"{STEM}.{position}.{number}of{len(folds)}.ubj")

    @classmethod
    def load(cls, folder: Path, used: NDArray[np.bool_]) -> Self:
        """Load the boosters of the used horizons. Raises FileNotFoundError if one is missing."""
        boosters: list[Folds] = []
        for position, wanted in enumerate(used.tolist()):
            files = sorted(folder.glob(f"{STEM}.{position}.*of*.ubj")) if wanted else []
            if wanted and (not files or len(files) != int(files[0].name.removesuffix(".ubj").rpartition("of")[2])):
                raise FileNotFoundError(f"{STEM}.{position} is not complete")
            folds = tuple(xgboost.Booster(model_file=file) for file in files)
            for booster in folds:
                booster.set_param({"nthread": 1})
            boosters.append(folds)
        return cls(tuple(boosters))


def _fit_one(features: FloatArray, scores: FloatArray, settings: MemberSettings) -> xgboost.Booster:
    """Fit one booster on at most `most_rows` samples, chosen by the seed."""
    quantiles = settings.quantiles
    if len(scores) > quantiles.most_rows:
        drawn = np.random.default_rng(settings.seed).permutation(len(scores))[: quantiles.most_rows]
        chosen = np.sort(drawn)
        features, scores = features[chosen], scores[chosen]
    booster = xgboost.train(
        {
            "objective": "reg:quantileerror",
            "quantile_alpha": [level / 100 for level in LEVELS],
            "tree_method": "hist",
            "max_depth": quantiles.max_depth,
            "learning_rate": quantiles.learning_rate,
            "min_child_weight": quantiles.min_child_weight,
            "subsample": quantiles.subsample,
            "seed": settings.seed % 2**31,
            "nthread": settings.threads,
        },
        xgboost.DMatrix(features, scores, nthread=settings.threads),
        num_boost_round=quantiles.n_estimators,
    )
    booster.set_param({"nthread": 1})
    return booster


def _widths_of(folds: Folds, features: FloatArray) -> FloatArray:
    predicted = np.mean([booster.inplace_predict(features) for booster in folds], axis=0, dtype=np.float64)
    return ascending(np.maximum(predicted.reshape(len(features), -1), SMALLEST_WIDTH))
