"""Look-ahead checks of features: altered futures, later dividends and splits, shorter histories."""

from collections.abc import Sequence

import numpy as np

from mlops.forecasting.leaks.check_results import CheckResult, Grid, Leak, first_difference
from mlops.forecasting.leaks.feature_functions import FeatureFunction, FeatureTable
from mlops.forecasting.leaks.mutations import (
    altered_after,
    from_row,
    through_row,
    with_gap_up_to,
    with_later_dividend,
    with_later_split,
)
from mlops.forecasting.types import Panel

CUT_SHARES = (0.55, 0.75, 0.95)
START_SHARES = (0.1, 0.3)
# A year of sessions fills every window; a second one lets exponential weights forget where they began.
WARM_UP_SESSIONS = 504
ROUNDING = 1e-6


def check_future(function: FeatureFunction, panel: Panel) -> CheckResult:
    """Features up to t where everything after t is different, absent, or where a gap ends with t; exactly equal."""
    compared = "features up to t with other prices, volumes and gaps after t, and with nothing after t"
    count = 0
    for cut in cuts_of(panel):
        before = with_gap_up_to(panel, cut)
        known = function(before)
        for other in (altered_after(before, cut, seed=cut), through_row(before, cut)):
            leak, seen = _compared(known, function(other), before, rows=slice(0, cut + 1))
            count += seen
            if leak is not None:
                return CheckResult("future", compared, count, leak)
    return CheckResult("future", compared, count)


def check_corporate_actions(function: FeatureFunction, panel: Panel) -> CheckResult:
    """Features up to t, when the history is sent again after a dividend and on the basis of a split after t."""
    compared = "features up to t with the history adjusted for a dividend, and for a split, after t"
    count = 0
    for cut in cuts_of(panel):
        before = through_row(panel, cut)
        known = function(before)
        for other in (with_later_dividend(before, cut), with_later_split(before, cut)):
            leak, seen = _compared(known, function(other), before, rows=slice(0, cut + 1), tolerance=ROUNDING)
            count += seen
            if leak is not None:
                return CheckResult("corporate actions", compared, count, leak)
    return CheckResult("corporate actions", compared, count)


def check_warm_up(function: FeatureFunction, panel: Panel) -> CheckResult:
    """Features from histories that begin later, from two years of sessions after their beginning on."""
    compared = f"features from histories that begin later, {WARM_UP_SESSIONS} sessions on"
    full, count = function(panel), 0
    for start in sorted({int(share * len(panel.sessions)) for share in START_SHARES}):
        later = from_row(panel, start)
        known = FeatureTable(full.names, full.values[start:])
        rows = slice(WARM_UP_SESSIONS, len(later.sessions))
        leak, seen = _compared(known, function(later), later, rows=rows, tolerance=ROUNDING)
        count += seen
        if leak is not None:
            return CheckResult("warm-up", compared, count, leak)
    return CheckResult("warm-up", compared, count)


def cuts_of(panel: Panel) -> Sequence[int]:
    """The rows after which the future is changed."""
    return sorted({int(share * (len(panel.sessions) - 1)) for share in CUT_SHARES})


def _compared(
    known: FeatureTable, other: FeatureTable, panel: Panel, *, rows: slice, tolerance: float = 0.0
) -> tuple[Leak | None, int]:
    """The first cell of `rows` that differs, and how many values there were."""
    grid = Grid(panel.sessions[rows], panel.symbols, known.names)
    before, after = known.values[rows], other.values[rows]
    return first_difference(before, after, grid, tolerance=tolerance), int(np.isfinite(before).sum())
