"""Walk-forward evaluation: fit on the past, forecast up to the next fit, repeat."""

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
from mlops.forecasting.types import HORIZONS, Panel, Progress, part_of

YEARLY, QUARTERLY, MONTHLY, NEVER = REFITS = ("yearly", "quarterly", "monthly", "never")
MONTHS = {YEARLY: 12, QUARTERLY: 3, MONTHLY: 1}
FEWEST_TEST_SESSIONS = 60
SESSIONS_A_MONTH = 21
SHORTEST_LAST_PART = 0.25
FORECASTING_SHARE = 0.97


class LearningSetCache:
    """Learning sets of a panel, computed once per feature set."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._learned: dict[str, LearningSet] = {}

    def learned(self, feature_set: str = FEATURE_SET) -> LearningSet:
        """Return the learning set with these features."""
        if feature_set not in self._learned:
            self._learned[feature_set] = learning_set(self.panel, features_of(self.panel, feature_set))
        return self._learned[feature_set]


@dataclass(frozen=True, slots=True)
class EvaluatedPeriod:
    """One period: its forecasts, and tree settings, feature set and CPU time of its fit."""

    period: EvaluationPeriod
    rows: PeriodRows
    trees: TreeSettings
    feature_set: str
    train_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class WalkForward:
    """All periods, oldest first."""

    evaluated: Sequence[EvaluatedPeriod]

    def rows_of(self, horizon: int) -> WalkForwardRows:
        """Return every forecast of this horizon, oldest first."""
        return WalkForwardRows.joined([each.rows.by_horizon[horizon] for each in self.evaluated])


def evaluation_periods(sessions: NDArray[np.datetime64], *, test_from: date, refit: str) -> list[EvaluationPeriod]:
    """Split the test sessions by calendar year, quarter or month, one fit each.

    A last part of less than a quarter of that length joins the period before it.

    Raises TooFewTestSessions when fewer than 60 sessions, with the longest horizon after them, start at
    `test_from`, TooLittleHistory when fewer than 504 precede it.
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
    """Fit on the sessions before the period, forecast it, and pair the forecasts with outcomes.

    The fit sees no session of the period, and only targets known before it.
    """
    panel = cache.panel
    began = time.process_time()
    through: date = panel.sessions[period.first - 1].astype(object)
    bundle = fit_bundle(
        panel,
        through=through,
        settings=settings,
        progress=part_of(progress, 0.0, FORECASTING_SHARE),
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
    """Return the settings of later fits, with the tree settings that the first fit found."""
    return replace(settings, search=False, members=replace(settings.members, trees=trees))
