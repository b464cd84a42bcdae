"""Walking forward: fit on what was known, forecast the sessions up to the next fit, go on."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.backtest.rows import ForecastRows, Stretch, rows_of_stretch
from mlops.forecasting.errors import TooFewTestSessions, TooLittleHistory
from mlops.forecasting.fitting import FEWEST_SESSIONS, FitSettings, fit_bundle
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.models.settings import TreeSettings
from mlops.forecasting.types import HORIZONS, Panel, Progress

YEARLY, QUARTERLY, MONTHLY, NEVER = REFITS = ("yearly", "quarterly", "monthly", "never")
MONTHS = {YEARLY: 12, QUARTERLY: 3, MONTHLY: 1}
FEWEST_TEST_SESSIONS = 60
FORECASTING_SHARE = 0.97


@dataclass(frozen=True, slots=True)
class Judged:
    """One stretch: its forecasts by horizon, what it cost in seconds, and the tree settings that its fit used."""

    stretch: Stretch
    rows: Mapping[int, ForecastRows]
    trees: TreeSettings
    abstained: int
    garch_failures: int
    train_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Walk:
    """All stretches, oldest first."""

    judged: Sequence[Judged]

    def rows_of(self, horizon: int) -> ForecastRows:
        """Every forecast of this horizon, oldest first."""
        return ForecastRows.joined([each.rows[horizon] for each in self.judged])


def stretches_of(sessions: NDArray[np.datetime64], *, test_from: date, refit: str) -> list[Stretch]:
    """The test cut where a calendar year, quarter or month begins, so that each part has a fit of its own.

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
        return [Stretch(first, last)]
    months = sessions[first:].astype("datetime64[M]").astype(int)
    begins = np.flatnonzero(np.diff(months // MONTHS[refit], prepend=-1))
    return [Stretch(first + start, first + end) for start, end in pairwise([*begins.tolist(), last - first])]


def judge_stretch(
    panel: Panel, learned: LearningSet, stretch: Stretch, settings: FitSettings, progress: Progress
) -> Judged:
    """Fit on the sessions before the stretch, forecast it, and meet the forecasts with the outcomes.

    learned: the learning set of all of `panel`. The fit sees no session of the stretch, and so only targets that came
    true before it.
    """
    began, cpu_began = time.perf_counter(), time.process_time()
    through: date = panel.sessions[stretch.first - 1].astype(object)
    bundle = fit_bundle(
        panel,
        through=through,
        settings=settings,
        progress=lambda share, stage: progress(FORECASTING_SHARE * share, stage),
    )
    trained, cpu_trained = time.perf_counter(), time.process_time()
    progress(FORECASTING_SHARE, "forecasting")
    rows, abstained, failures = rows_of_stretch(bundle, panel, learned, stretch)
    progress(1.0, "done")
    return Judged(
        stretch=stretch,
        rows=rows,
        trees=bundle.trees,
        abstained=abstained,
        garch_failures=failures,
        train_seconds=trained - began,
        cpu_seconds=cpu_trained - cpu_began,
    )


def settings_found(settings: FitSettings, trees: TreeSettings) -> FitSettings:
    """The settings of every fit after the first: what its search found is kept."""
    return replace(settings, search=False, members=replace(settings.members, trees=trees))
