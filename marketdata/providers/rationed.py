"""Sources of quotes with a ration: quotes may use a part of a source's day, the rest is kept for bars."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.base import QuoteProvider, QuoteRecord


@dataclass
class Ration:
    """How many quotes may still be asked of a source; None for no limit. Shared by threads."""

    left: int | None
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.left is not None and self.left <= 0

    def take(self, calls: int = 1) -> bool:
        """Take one call, or give it back with -1; returns whether there was one."""
        with self._lock:
            if self.left is None:
                return True
            if calls > 0 and self.left <= 0:
                return False
            self.left -= calls
            return True


@dataclass(frozen=True, slots=True)
class RationedQuotes:
    """A source asked by its own symbols and within its ration; `asked` collects the symbols it was really asked for."""

    provider: QuoteProvider
    symbols: Mapping[str, str]
    ration: Ration
    asked: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.provider.name

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """What the source says about the instrument that we call `symbol`; raises as every source does."""
        if not self.ration.take():
            kept = "what is left of its day is kept for bars"
            raise ProviderUnavailable(self.name, kept, FailureKind.QUOTA_SPENT, attempted=False)
        try:
            quote = self.provider.fetch_quote(self.symbols.get(symbol, symbol))
        except ProviderUnavailable as error:
            if error.attempted:
                self.asked.add(symbol)
            else:
                self.ration.take(-1)
            raise
        except ProviderRejected:
            self.asked.add(symbol)
            raise
        self.asked.add(symbol)
        return quote
