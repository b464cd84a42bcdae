"""Learning set: usable samples of a panel with features and labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_HEADS, VOLATILITY_RISES
from mlops.forecasting.features import FeatureCube, build_features
from mlops.forecasting.features.registry import NEWS_NAMES
from mlops.forecasting.intervals.har import future_log_variance
from mlops.forecasting.models.samples import STEPS, IntArray, Samples
from mlops.forecasting.targets import targets_for
from mlops.forecasting.types import HORIZONS, FloatArray, Panel


@dataclass(frozen=True, slots=True)
class LearningSet:
    """Samples (row, column) of a panel with all features except news known, ordered by session.

    labels: by head, shape (n, h), 0 or 1, NaN where the target is after the panel's end; log_returns and
    log_variances: shape (n, h), of the sessions after each sample.
    """

    symbols: tuple[str, ...]
    sessions: int
    direction_names: tuple[str, ...]
    volatility_names: tuple[str, ...]
    direction: Samples
    volatility: Samples
    labels: Mapping[str, FloatArray]
    log_returns: FloatArray
    log_variances: FloatArray

    @property
    def rows(self) -> IntArray:
        """Session row of every sample."""
        return self.direction.rows

    @property
    def columns(self) -> IntArray:
        """Symbol column of every sample."""
        return self.direction.columns

    def samples_for(self, head: str) -> Samples:
        """Return the features available to a head's members."""
        return self.volatility if head in VOLATILITY_HEADS else self.direction

    def names_for(self, head: str) -> tuple[str, ...]:
        """Return the names of those features."""
        return self.volatility_names if head in VOLATILITY_HEADS else self.direction_names

    def training_labels(self, head: str) -> FloatArray:
        """Return the labels of training, shape (n, h); for "up" without unchanged closes.

        Prices with coarse ticks often stay unchanged, which carries no direction.
        """
        return np.where(self.log_returns == 0, np.nan, self.labels[head]) if head == UP else self.labels[head]

    def take(self, chosen: np.ndarray) -> "LearningSet":
        """Return the samples at these positions or under this mask."""
        return replace(
            self,
            direction=self.direction.take(chosen),
            volatility=self.volatility.take(chosen),
            labels={name: values[chosen] for name, values in self.labels.items()},
            log_returns=self.log_returns[chosen],
            log_variances=self.log_variances[chosen],
        )

    def inputs(self) -> FloatArray:
        """Return the latest features of every sample, direction before volatility, shape (n, k)."""
        return np.concatenate([self.direction.latest(), self.volatility.latest()], axis=1)


def learning_set(panel: Panel, cube: FeatureCube | None = None) -> LearningSet:
    """Return all samples of a panel; labels with targets after its end are NaN."""
    cube = cube or build_features(panel)
    needed = [place for place, name in enumerate(cube.direction_names) if name not in NEWS_NAMES]
    usable = np.isfinite(cube.direction[:, :, needed]).all(axis=2) & np.isfinite(cube.volatility).all(axis=2)
    usable &= np.isfinite(panel.close)
    usable[: STEPS - 1] = False
    rows, columns = np.nonzero(usable)
    labels: dict[str, list[FloatArray]] = {UP: [], BEATS_MEDIAN: [], VOLATILITY_RISES: [], BIG_MOVE: []}
    log_returns = []
    for horizon in HORIZONS:
        targets = targets_for(panel, horizon)
        for name, values in labels.items():
            values.append(np.asarray(getattr(targets, name), dtype=np.float64)[rows, columns])
        log_returns.append(targets.log_return[rows, columns])
    stacked = {name: np.stack(values, axis=1) for name, values in labels.items()}
    stacked[VOLATILITY_RISES][:, HORIZONS.index(1)] = np.nan
    return LearningSet(
        symbols=panel.symbols,
        sessions=len(panel.sessions),
        direction_names=cube.direction_names,
        volatility_names=cube.volatility_names,
        direction=Samples(cube.direction, rows, columns),
        volatility=Samples(cube.volatility, rows, columns),
        labels=stacked,
        log_returns=np.stack(log_returns, axis=1),
        log_variances=future_log_variance(panel.close)[rows, columns],
    )


def known_before(labels: FloatArray, rows: IntArray, cut: int) -> FloatArray:
    """Return the labels with targets before row `cut`; others are NaN."""
    targets = rows[:, None] + np.array(HORIZONS)
    return np.where(targets < cut, labels, np.nan)
