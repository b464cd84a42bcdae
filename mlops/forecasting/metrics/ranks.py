"""Rank correlation of forecasts and outcomes within sessions.

`scipy.stats.spearmanr` gives the same values within 1e-12 (see the tests) but needs one call per session: 0.75 s
instead of 0.04 s for 4,780 sessions of 20 stocks.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

FEWEST_INSTRUMENTS = 5


def rank_ic(predicted: FloatArray, actual: FloatArray, row_sessions: NDArray[np.integer]) -> float:
    """Return the mean over sessions of Spearman's rank correlation, all arrays of shape (n,).

    Ties share their mean rank. Sessions with fewer than five rows or constant forecasts or outcomes are ignored; NaN if
    none remains.
    """
    known = np.isfinite(predicted) & np.isfinite(actual)
    frame = pd.DataFrame({"session": row_sessions[known], "predicted": predicted[known], "actual": actual[known]})
    sessions = frame.groupby("session")
    ranks = sessions.rank() - (sessions["predicted"].transform("size").to_numpy()[:, None] + 1) / 2
    ranks["together"] = ranks["predicted"] * ranks["actual"]
    ranks["predicted"], ranks["actual"] = ranks["predicted"] ** 2, ranks["actual"] ** 2
    sums = ranks.groupby(frame["session"]).sum()
    spread = np.sqrt(sums["predicted"] * sums["actual"])
    counted = ((sessions.size() >= FEWEST_INSTRUMENTS) & (spread > 0)).to_numpy()
    if not counted.any():
        return float("nan")
    return float((sums["together"].to_numpy()[counted] / spread.to_numpy()[counted]).mean())
