"""Canonical symbols of other spellings, so that `BRK-B` finds the cached forecast of `BRK.B`."""

import time

ALIAS_TTL_S = 60.0
CAPACITY = 5_000

# Spelling: canonical symbol and monotonic expiry time.
_aliases: dict[str, tuple[str, float]] = {}


def remember_alias(written: str, symbol: str, *, now_s: float) -> None:
    """Remember the canonical symbol of a spelling in this process for a minute from `now_s` (monotonic)."""
    if written == symbol:
        return
    if len(_aliases) >= CAPACITY:
        _aliases.clear()
    _aliases[written] = symbol, now_s + ALIAS_TTL_S


def resolve_alias(written: str) -> str:
    """Return the canonical symbol if this process knows it, else the spelling itself."""
    known = _aliases.get(written)
    return written if known is None or known[1] < time.monotonic() else known[0]
