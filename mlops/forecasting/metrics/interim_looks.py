"""When a record is looked at: declared beforehand, so that looking often cannot make chance look like skill."""

import math

SHORTEST_BLOCK = 5
FIRST_LOOK_BLOCKS = 10
FEWEST_FORECASTS = 300


def block_sessions(horizon_sessions: int) -> int:
    """Sessions in a block: two horizons, so that only neighbouring blocks share forecasts that overlap."""
    return max(SHORTEST_BLOCK, 2 * horizon_sessions)


def needed_sessions(horizon_sessions: int) -> int:
    """Target sessions that the first look needs."""
    return FIRST_LOOK_BLOCKS * block_sessions(horizon_sessions)


def needed_forecasts(horizon_sessions: int, *, per_session: float) -> int:
    """Forecasts that the first look needs where so many are made for each session."""
    return max(FEWEST_FORECASTS, math.ceil(per_session * needed_sessions(horizon_sessions)))
