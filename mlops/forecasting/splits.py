"""Purged time-series splits with a gap of one horizon."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import TimeSeriesSplit

from mlops.forecasting.errors import TooLittleHistory

Rows = NDArray[np.intp]
Sessions = NDArray[np.datetime64] | NDArray[np.integer]


def purged_splits(row_sessions: Sessions, *, horizon: int, folds: int) -> list[tuple[Rows, Rows]]:
    """Return (training rows, test rows) of expanding folds, oldest first, for GridSearchCV's `cv`.

    row_sessions: the origin of each pooled row, as a date or a row of the panel, in any order. `horizon` whole sessions
    lie between the last training and the first test session, so that every training target is known before the first
    test origin. Raises TooLittleHistory when the sessions do not suffice for the folds.
    """
    sessions, session_of_row = np.unique(row_sessions, return_inverse=True)
    needed = (folds + 1) * (horizon + 1)
    if len(sessions) < needed:
        raise TooLittleHistory(have=len(sessions), needed=needed)
    splitter = TimeSeriesSplit(n_splits=folds, gap=horizon)
    return [
        (np.flatnonzero(session_of_row <= train[-1]), np.flatnonzero(np.isin(session_of_row, test)))
        for train, test in splitter.split(sessions)
    ]
