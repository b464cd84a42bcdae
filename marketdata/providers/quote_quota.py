"""Quota of quotes: they may use a part of a provider's day, and the rest is left for daily bars."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from redis.exceptions import RedisError

from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.provider_records import QuoteRecord
from marketdata.providers.base import QuoteProvider
from marketdata.providers.catalog import UNLIMITED_PROVIDERS, budget_for, shared_usage

# Daily bars are worth more than quotes, so half of a day's budget is reserved for them.
SHARE_RESERVED_FOR_BARS = 0.5


@dataclass
class QuoteQuota:
    """Quotes that may still be requested from a provider; None for no limit. Shared by threads."""

    left: int | None
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def is_spent(self) -> bool:
        """Return whether no quote is left."""
        return self.left is not None and self.left <= 0

    def take(self, calls: int = 1) -> bool:
        """Take one call, or return it with -1; return whether there was one."""
        with self._lock:
            if self.left is None:
                return True
            if calls > 0 and self.left <= 0:
                return False
            self.left -= calls
            return True


def quote_quota(name: str) -> QuoteQuota:
    """Return the quotes that may be requested now: none while the provider's circuit is open or Redis is down.

    The day is counted by the real clock, also on a simulated one.
    """
    if name in UNLIMITED_PROVIDERS:
        return QuoteQuota(0)
    try:
        state = shared_usage(name).state(datetime.now(UTC))
    except RedisError:
        return QuoteQuota(0)
    if state.paused_until is not None:
        return QuoteQuota(0)
    if state.left_today is None:
        return QuoteQuota(None)
    reserved = math.ceil(budget_for(name).per_day * SHARE_RESERVED_FOR_BARS)
    return QuoteQuota(max(0, state.left_today - reserved))


@dataclass(frozen=True, slots=True)
class QuotaLimitedProvider:
    """A provider called with its own symbols within its quota; `requested` collects the symbols of calls made."""

    provider: QuoteProvider
    symbols: Mapping[str, str]
    quota: QuoteQuota
    requested: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.provider.name

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """Return the provider's quote of the instrument `symbol`. Raises as every provider does."""
        if not self.quota.take():
            reserved = "the rest of its day is reserved for daily bars"
            raise ProviderUnavailable(self.name, reserved, FailureKind.QUOTA_SPENT, attempted=False)
        try:
            quote = self.provider.fetch_quote(self.symbols.get(symbol, symbol))
        except ProviderUnavailable as error:
            if error.attempted:
                self.requested.add(symbol)
            else:
                self.quota.take(-1)
            raise
        except ProviderRejected:
            self.requested.add(symbol)
            raise
        self.requested.add(symbol)
        return quote
