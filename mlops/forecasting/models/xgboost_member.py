"""XGBoost member: one small classifier per horizon, pooled over all symbols."""

from pathlib import Path
from typing import Self

import numpy as np
import xgboost

from mlops.forecasting.models.base import Member
from mlops.forecasting.models.samples import Samples
from mlops.forecasting.models.settings import MemberSettings, TreeSettings
from mlops.forecasting.types import FloatArray


class XGBoostMember:
    """One booster per horizon; None where a horizon has no labels."""

    def __init__(self, boosters: tuple[xgboost.Booster | None, ...]) -> None:
        self._boosters = boosters

    @classmethod
    def fit(cls, samples: Samples, labels: FloatArray, settings: MemberSettings) -> Self:
        """Fit one classifier per horizon on the rows whose target is known."""
        latest = samples.latest()
        boosters = []
        for position in range(labels.shape[1]):
            known = np.isfinite(labels[:, position])
            boosters.append(_fit_one(latest[known], labels[known, position], settings) if known.any() else None)
        return cls(tuple(boosters))

    def logits(self, samples: Samples) -> FloatArray:
        """Shape (n, h)."""
        latest = samples.latest()
        logits = np.full((len(samples), len(self._boosters)), np.nan)
        for position, booster in enumerate(self._boosters):
            if booster is not None and len(samples):
                logits[:, position] = booster.inplace_predict(latest, predict_type="margin")
        return logits

    def contributions(self, samples: Samples) -> FloatArray:
        """Exact share of every feature in the logit (tree SHAP), shape (n, h, k); the bias is left out."""
        latest = xgboost.DMatrix(samples.latest(), nthread=1)
        contributions = np.full((len(samples), len(self._boosters), samples.width), np.nan)
        for position, booster in enumerate(self._boosters):
            if booster is not None:
                contributions[:, position] = booster.predict(latest, pred_contribs=True)[:, :-1]
        return contributions

    def save(self, folder: Path, stem: str) -> None:
        for position, booster in enumerate(self._boosters):
            if booster is not None:
                booster.save_model(folder / f"{stem}.{position}of{len(self._boosters)}.ubj")

    @classmethod
    def load(cls, folder: Path, stem: str) -> Self:
        files = sorted(folder.glob(f"{stem}.*of*.ubj"))
        if not files:
            raise FileNotFoundError(f"{stem} has no booster")
        positions = [file.name.removesuffix(".ubj").rpartition(".")[2].split("of") for file in files]
        boosters: list[xgboost.Booster | None] = [None] * int(positions[0][1])
        for file, (position, _) in zip(files, positions, strict=True):
            booster = xgboost.Booster(model_file=file)
            booster.set_param({"nthread": 1})
            boosters[int(position)] = booster
        return cls(tuple(boosters))


def contributions_of(member: Member, samples: Samples) -> FloatArray:
    """Return the contributions of an XGBoost member. Raises TypeError for another member."""
    if not isinstance(member, XGBoostMember):
        raise TypeError(f"{type(member).__name__} has no exact contributions")
    return member.contributions(samples)


def classifier_of(trees: TreeSettings, *, seed: int, threads: int) -> xgboost.XGBClassifier:
    """Return an unfitted scikit-learn classifier of one booster."""
    return xgboost.XGBClassifier(
        objective="binary:logistic",
        tree_method="hist",
        max_depth=trees.max_depth,
        n_estimators=trees.n_estimators,
        learning_rate=trees.learning_rate,
        min_child_weight=trees.min_child_weight,
        subsample=trees.subsample,
        random_state=seed % 2**31,
        n_jobs=threads,
    )


def _fit_one(latest: FloatArray, labels: FloatArray, settings: MemberSettings) -> xgboost.Booster:
    """Fit one booster that starts at the base rate, so that without splits it predicts that rate."""
    rate = float(np.clip(labels.mean(), 1e-4, 1 - 1e-4))
    parameters = classifier_of(settings.trees, seed=settings.seed, threads=settings.threads).get_xgb_params()
    booster = xgboost.train(
        {**parameters, "base_score": rate},
        xgboost.DMatrix(latest, labels, nthread=settings.threads),
        num_boost_round=settings.trees.n_estimators,
    )
    booster.set_param({"nthread": 1})
    return booster
