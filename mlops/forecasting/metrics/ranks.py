"""Whether the order of the forecasts was the order of what came."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

FEWEST_INSTRUMENTS = 5


def rank_ic(predicted: FloatArray, actual: FloatArray, row_sessions: NDArray[np.integer]) -> float:
    """Mean over sessions of Spearman's rank correlation between forecasts and outcomes, all of shape (n,).

    Equal values share their mean rank. Sessions with fewer than five rows, or with all forecasts or all outcomes
    equal, do not count; NaN when none does.
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
