"""Walking forward: fit on what was known, forecast the sessions up to the next fit, go on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.backtest.rows import EvaluationPeriod, PeriodRows, WalkForwardRows, rows_of_period
from mlops.forecasting.errors import TooFewTestSessions, TooLittleHistory
from mlops.forecasting.features import FEATURE_SET
from mlops.forecasting.features.news import features_of
from mlops.forecasting.fitting import FEWEST_SESSIONS, FitSettings, fit_bundle
from mlops.forecasting.learning import LearningSet, learning_set
from mlops.forecasting.models.settings import TreeSettings
from mlops.forecasting.types import HORIZONS, Panel, Progress

YEARLY, QUARTERLY, MONTHLY, NEVER = REFITS = ("yearly", "quarterly", "monthly", "never")
MONTHS = {YEARLY: 12, QUARTERLY: 3, MONTHLY: 1}
FEWEST_TEST_SESSIONS = 60
SESSIONS_A_MONTH = 21
SHORTEST_LAST_PART = 0.25
FORECASTING_SHARE = 0.97


class LearningSetCache:
    """A panel and what it teaches, gathered once for each set of features that a fit may choose."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._learned: dict[str, LearningSet] = {}

    def learned(self, feature_set: str = FEATURE_SET) -> LearningSet:
        """Every usable place of the panel with these features."""
        if feature_set not in self._learned:
            self._learned[feature_set] = learning_set(self.panel, features_of(self.panel, feature_set))
        return self._learned[feature_set]


@dataclass(frozen=True, slots=True)
class EvaluatedPeriod:
    """One stretch: its forecasts, and of its fit the tree settings, the set of features, and what it cost a core."""

    period: EvaluationPeriod
    rows: PeriodRows
    trees: TreeSettings
    feature_set: str
    train_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class WalkForward:
    """All stretches, oldest first."""

    evaluated: Sequence[EvaluatedPeriod]

    def rows_of(self, horizon: int) -> WalkForwardRows:
        """Every forecast of this horizon, oldest first."""
        return WalkForwardRows.joined([each.rows.by_horizon[horizon] for each in self.evaluated])


def evaluation_periods(sessions: NDArray[np.datetime64], *, test_from: date, refit: str) -> list[EvaluationPeriod]:
    """The test cut where a calendar year, quarter or month begins, so that each part has a fit of its own.

    A last part of less than a quarter of that is left to the fit before it.

    Raises TooFewTestSessions when fewer than 60 sessions, with the longest horizon after them, stand from `test_from`
    on, TooLittleHistory when fewer than 504 stand before it.
    """
    first, last = int(np.searchsorted(sessions, np.datetime64(test_from))), len(sessions)
    if not len(sessions) or last - first < FEWEST_TEST_SESSIONS + max(HORIZONS):
        newest = sessions[-1].astype(object) if len(sessions) else None
        raise TooFewTestSessions(test_from, newest, FEWEST_TEST_SESSIONS + max(HORIZONS))
    if first < FEWEST_SESSIONS:
        raise TooLittleHistory(first, FEWEST_SESSIONS)
    if refit == NEVER:
        return [EvaluationPeriod(first, last)]
    months = sessions[first:].astype("datetime64[M]").astype(int)
    begins = first + 1 + np.flatnonzero(np.diff(months // MONTHS[refit]))
    begins = begins[last - begins >= SHORTEST_LAST_PART * MONTHS[refit] * SESSIONS_A_MONTH]
    return [EvaluationPeriod(start, end) for start, end in pairwise([first, *begins.tolist(), last])]


def evaluate_period(
    cache: LearningSetCache, period: EvaluationPeriod, settings: FitSettings, progress: Progress
) -> EvaluatedPeriod:
    """Fit on the sessions before the stretch, forecast it, and meet the forecasts with the outcomes.

    The fit sees no session of the stretch, and so only targets that came true before it.
    """
    panel = cache.panel
    began = time.process_time()
    through: date = panel.sessions[period.first - 1].astype(object)
    bundle = fit_bundle(
        panel,
        through=through,
        settings=settings,
        progress=lambda share, stage: progress(FORECASTING_SHARE * share, stage),
    )
    trained = time.process_time()
    progress(FORECASTING_SHARE, "forecasting")
    rows = rows_of_period(bundle, panel, cache.learned(bundle.feature_set), period)
    progress(1.0, "done")
    return EvaluatedPeriod(
        period=period,
        rows=rows,
        trees=bundle.trees,
        feature_set=bundle.feature_set,
        train_cpu_seconds=trained - began,
    )


def with_searched_trees(settings: FitSettings, trees: TreeSettings) -> FitSettings:
    """The settings of every fit after the first: what its search found is kept."""
    return replace(settings, search=False, members=replace(settings.members, trees=trees))
