"""How much of a source's day quotes may use."""

import math
from datetime import UTC, datetime

from redis.exceptions import RedisError

from marketdata.providers.catalog import WITHOUT_GATE, budget_for, shared_ledger
from marketdata.providers.rationed import Ration

# Bars of the session are worth more than its quotes, so half of a day's budget is kept for them.
SHARE_KEPT_FOR_BARS = 0.5
NOTHING = 0


def ration_of(name: str) -> Ration:
    """The quotes that the source may be asked for now: none while it rests, and none of what is kept for bars.

    The ledger keeps the day by a clock of its own, so it is asked about this very instant. Without the store nothing
    is known, and nothing is asked.
    """
    if name in WITHOUT_GATE:
        return Ration(NOTHING)
    try:
        standing = shared_ledger(name).standing(datetime.now(UTC))
    except RedisError:
        return Ration(NOTHING)
    if standing.rests_until is not None:
        return Ration(NOTHING)
    if standing.left_today is None:
        return Ration(None)
    kept = math.ceil(budget_for(name).per_day * SHARE_KEPT_FOR_BARS)
    return Ration(max(NOTHING, standing.left_today - kept))
