"""Whether the order of the forecasts was the order of what came."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

FEWEST_INSTRUMENTS = 5


def rank_ic(said: FloatArray, came: FloatArray, row_sessions: NDArray[np.integer]) -> float:
    """Mean over sessions of Spearman's rank correlation between forecasts and outcomes, all of shape (n,).

    Equal values share their mean rank. Sessions with fewer than five rows, or with all forecasts or all outcomes
    equal, do not count; NaN when none does.
    """
    known = np.isfinite(said) & np.isfinite(came)
    frame = pd.DataFrame({"session": row_sessions[known], "said": said[known], "came": came[known]})
    sessions = frame.groupby("session")
    ranks = sessions.rank() - (sessions["said"].transform("size").to_numpy()[:, None] + 1) / 2
    ranks["together"] = ranks["said"] * ranks["came"]
    ranks["said"], ranks["came"] = ranks["said"] ** 2, ranks["came"] ** 2
    sums = ranks.groupby(frame["session"]).sum()
    spread = np.sqrt(sums["said"] * sums["came"])
    counted = ((sessions.size() >= FEWEST_INSTRUMENTS) & (spread > 0)).to_numpy()
    if not counted.any():
        return float("nan")
    return float((sums["together"].to_numpy()[counted] / spread.to_numpy()[counted]).mean())
