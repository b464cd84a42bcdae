"""What other spellings of symbols mean, so that `BRK-B` finds the answer that is kept for `BRK.B`."""

import time

ALIAS_TTL_S = 60.0
CAPACITY = 5_000

# What was written: the symbol that is meant, and until when (monotonic) that is believed.
_aliases: dict[str, tuple[str, float]] = {}


def remember_alias(written: str, symbol: str, *, now_s: float) -> None:
    """Note at `now_s` (monotonic) what `written` means; that is believed for a minute, in this process."""
    if written == symbol:
        return
    if len(_aliases) >= CAPACITY:
        _aliases.clear()
    _aliases[written] = symbol, now_s + ALIAS_TTL_S


def resolve_alias(written: str) -> str:
    """The symbol that is meant, as far as this process knows; else `written` itself. One plain read."""
    known = _aliases.get(written)
    return written if known is None or known[1] < time.monotonic() else known[0]
