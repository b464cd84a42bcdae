"""Fits that knew the future: their statistics, their forecasts, their replay of the past, and their splits."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.leaks.check_results import CheckResult, Grid, Leak, first_difference
from mlops.forecasting.leaks.feature_functions import FeatureFunction, FeatureTable
from mlops.forecasting.leaks.mutations import altered_after
from mlops.forecasting.types import FloatArray, Panel

FITTED_SHARE = 0.75
ORIGIN_SHARES = (0.78, 0.9)
REPLAY_SHARES = (0.5, 0.75)
HORIZON = 5


class Fitted(Protocol):
    """Something that has learned."""

    def statistics(self) -> Mapping[str, FloatArray]:
        """Everything it has learned, by name."""
        ...

    def forecasts(self, panel: Panel, origin: date) -> FeatureTable:
        """Return the predictions from the close of `origin`, shape (1, m, q)."""
        ...


Fitter = Callable[[Panel, date], Fitted]
Rows = NDArray[np.intp]
Splitter = Callable[[Rows, int], Sequence[tuple[Rows, Rows]]]


def check_fits(fitter: Fitter, panel: Panel) -> tuple[CheckResult, CheckResult]:
    """Fit twice up to the same session, with another future the second time; then forecast with another future."""
    cut = int(FITTED_SHARE * len(panel.sessions))
    through = _session(panel, cut)
    fitted = fitter(panel, through)
    other = fitter(altered_after(panel, cut, seed=cut), through)
    return _statistics(fitted, other, through), _forecasts(fitted, panel)


def _statistics(fitted: Fitted, other: Fitted, through: date) -> CheckResult:
    compared = f"everything learned up to {through}, fitted again with another future: scalers, thresholds, models"
    before, after = fitted.statistics(), other.statistics()
    count = sum(values.size for values in before.values())
    for name in sorted(before.keys() | after.keys()):
        was, became = before.get(name), after.get(name)
        if was is None or became is None or not np.array_equal(was, became, equal_nan=True):
            return CheckResult("fits", compared, count, Leak("", through, name, "was fitted on later data"))
    return CheckResult("fits", compared, count)


def _forecasts(fitted: Fitted, panel: Panel) -> CheckResult:
    compared = "forecasts of a model fitted before t, from t, with another future after t"
    count = 0
    for row in sorted({int(share * len(panel.sessions)) for share in ORIGIN_SHARES}):
        origin = _session(panel, row)
        before = fitted.forecasts(panel, origin)
        after = fitted.forecasts(altered_after(panel, row, seed=row), origin)
        grid = Grid(panel.sessions[row : row + 1], panel.symbols, before.names)
        count += int(np.isfinite(before.values).sum())
        leak = first_difference(before.values, after.values, grid)
        if leak is not None:
            return CheckResult("forecasts", compared, count, leak)
    return CheckResult("forecasts", compared, count)


def check_replay(replay: FeatureFunction, panel: Panel) -> CheckResult:
    """Out-of-sample forecasts of the past, up to t, with another future after t.

    t is every session from which a stretch begins that one fit forecast: there a label that reaches beyond its
    training shows.
    """
    compared = "walk-forward forecasts up to t with another future after t"
    known = replay(panel)
    count = 0
    for cut in _beginnings(known, panel):
        other = replay(altered_after(panel, cut, seed=cut, columns_end=False))
        grid = Grid(panel.sessions[: cut + 1], panel.symbols, known.names)
        before, after = known.values[: cut + 1], other.values[: cut + 1]
        count += int(np.isfinite(before).sum())
        leak = first_difference(before, after, grid)
        if leak is not None:
            return CheckResult("walk-forward", compared, count, leak)
    return CheckResult("walk-forward", compared, count)


def check_splits(splitter: Splitter, panel: Panel) -> CheckResult:
    """Folds on the panel's places: every training target is known before the first session that is tested on."""
    compared = f"training and test sessions of each fold, {HORIZON} sessions apart"
    rows, columns = np.nonzero(np.isfinite(panel.close))
    count = 0
    for train, test in splitter(rows, HORIZON):
        first = rows[test].min()
        count += len(train)
        late = train[rows[train] + HORIZON >= first]
        if len(late):
            place = int(late[np.argmin(rows[late])])
            reason = (
                f"its target after {HORIZON} sessions is not known before the test begins on {panel.sessions[first]}"
            )
            leak = Leak(panel.symbols[columns[place]], _session(panel, rows[place]), "split", reason)
            return CheckResult("splits", compared, count, leak)
    return CheckResult("splits", compared, count)


def _beginnings(replayed: FeatureTable, panel: Panel) -> list[int]:
    """The first sessions of the stretches that lie around the shares looked at."""
    fields = np.flatnonzero(np.isfinite(replayed.values).any(axis=(1, 2)))
    return [int(fields[int(share * len(fields))]) for share in REPLAY_SHARES] if len(fields) else []


def _session(panel: Panel, row: int) -> date:
    session: date = panel.sessions[row].astype(object)
    return session
