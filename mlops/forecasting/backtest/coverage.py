"""Coverage of intervals (overall, worst stock and year, two crashes) and Winkler scores relative to benchmarks."""

from datetime import date
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.backtest.rows import WalkForwardRows
from mlops.forecasting.figures import Figures, mean_of
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.metrics.intervals import inside, winkler_scores
from mlops.forecasting.types import FloatArray, Panel

LEAST_OF_THE_FULLEST = 0.5
CRASHES = {
    "2008": (date(2008, 9, 1), date(2009, 3, 31)),
    "2020": (date(2020, 2, 18), date(2020, 4, 30)),
}


def interval_figures(rows: WalkForwardRows, panel: Panel, place: int) -> Figures:
    """The figures of the level at `place` of LEVELS.

    Winkler scores are means in log return over the rows that have the benchmark, divided by the benchmark's. The worst
    symbol is one with at least half as many forecasts as the one with most, and so is the worst year; forecasts count
    in the year and crash of their origin.
    """
    level = LEVELS[place] / 100
    lower, upper = rows.lower[:, place], rows.upper[:, place]
    contained = inside(lower, upper, rows.log_return).astype(np.float64)
    sessions = panel.sessions[rows.rows].astype("datetime64[D]")
    years = sessions.astype("datetime64[Y]").astype(int) + 1970
    symbol, worst_symbol = _worst(contained, rows.columns)
    year, worst_year = _worst(contained, years)
    figures: Figures = {
        "coverage": mean_of(contained),
        "worst_symbol": worst_symbol,
        "worst_symbol_name": None if symbol is None else panel.symbols[symbol],
        "worst_year": worst_year,
        "worst_year_name": year,
    }
    scores = winkler_scores(lower, upper, rows.log_return, interval_level=level)
    for name in ("garch", "constant"):
        centre, sigma = getattr(rows, f"{name}_centre"), getattr(rows, f"{name}_sigma")
        half_width = NormalDist().inv_cdf((1 + level) / 2) * sigma
        known = np.isfinite(half_width)
        theirs = winkler_scores(centre - half_width, centre + half_width, rows.log_return, interval_level=level)
        figures[f"winkler_vs_{name}"] = mean_of(scores[known]) / mean_of(theirs[known])
        figures[f"{name}_coverage"] = mean_of(
            inside(centre - half_width, centre + half_width, rows.log_return)[known].astype(float)
        )
    figures["crashes"] = {
        name: mean_of(contained[(sessions >= np.datetime64(first)) & (sessions <= np.datetime64(last))])
        for name, (first, last) in CRASHES.items()
    }
    return figures


def _worst(contained: FloatArray, groups: NDArray[np.integer]) -> tuple[int | None, float]:
    """Return the large enough group with the lowest coverage; None and NaN if there is none."""
    if not len(groups):
        return None, float("nan")
    counts = np.bincount(groups)
    shares = np.bincount(groups, weights=contained) / np.maximum(counts, 1)
    worst = int(np.where(counts >= LEAST_OF_THE_FULLEST * counts.max(), shares, np.inf).argmin())
    return worst, float(shares[worst])
