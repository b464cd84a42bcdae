"""Interim looks of the sequential test, fixed in advance."""

import math

SHORTEST_BLOCK = 5
FIRST_LOOK_BLOCKS = 10
FEWEST_FORECASTS = 300


def block_sessions(horizon_sessions: int) -> int:
    """Return the sessions of a block: two horizons, so that forecasts overlap only between neighbouring blocks."""
    return max(SHORTEST_BLOCK, 2 * horizon_sessions)


def needed_sessions(horizon_sessions: int) -> int:
    """Return the number of target sessions the first look needs."""
    return FIRST_LOOK_BLOCKS * block_sessions(horizon_sessions)


def needed_forecasts(horizon_sessions: int, *, per_session: float) -> int:
    """Return the number of forecasts the first look needs."""
    return max(FEWEST_FORECASTS, math.ceil(per_session * needed_sessions(horizon_sessions)))
