"""What can go wrong with instruments, bars and their sources."""

from collections.abc import Sequence
from enum import StrEnum


class MarketDataError(Exception):
    """Base of every error of this app."""


class SymbolMalformed(MarketDataError):
    """The text cannot be a symbol of any exchange."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"{symbol[:32]!r} is not a stock symbol.")
        self.symbol = symbol[:32]


class SymbolUnknown(MarketDataError):
    """No instrument has this symbol; `suggestions` are the nearest that exist."""

    def __init__(self, symbol: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(f"There is no instrument with the symbol {symbol}.")
        self.symbol = symbol
        self.suggestions = tuple(suggestions)


class FailureKind(StrEnum):
    """Why a source gave nothing that can be used, as far as its status and its words tell."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    RATE_LIMITED = "rate_limited"
    QUOTA_SPENT = "quota_spent"
    BAD_KEY = "bad_key"
    EMPTY = "empty"
    MALFORMED = "malformed"
    PARTIAL = "partial"
    UNREACHABLE = "unreachable"
    SLOW = "slow"

    @property
    def stops_run(self) -> bool:
        """Whether asking the same source about the next company is of no use for now."""
        return self not in (
            FailureKind.UNKNOWN_SYMBOL,
            FailureKind.EMPTY,
            FailureKind.MALFORMED,
            FailureKind.PARTIAL,
        )


class ProviderUnavailable(MarketDataError):
    """The source did not answer, or not in a way that can be used now; asking again later may help.

    `retry_after_s` is when, where that is known; `asked` is false when the source was left alone on purpose.
    """

    def __init__(
        self,
        provider: str,
        reason: str,
        kind: FailureKind = FailureKind.UNREACHABLE,
        *,
        retry_after_s: float | None = None,
        asked: bool = True,
    ) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.asked = asked


class ProviderRejected(MarketDataError):
    """The source understood and refused (unknown symbol, bad key); asking again does not help."""

    def __init__(self, provider: str, reason: str, kind: FailureKind = FailureKind.UNKNOWN_SYMBOL) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.kind = kind


class BarFileInvalid(MarketDataError):
    """The file is not one of daily bars; nothing of it was stored."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be imported: {reason}.")
        self.name = name
        self.reason = reason


class SessionUnknown(MarketDataError):
    """The exchange's calendar has no such session."""

    def __init__(self, mic: str, day: str) -> None:
        super().__init__(f"{day} is not a session of {mic}.")
        self.mic = mic
        self.day = day


class DateRangeEmpty(MarketDataError):
    """The first day that is asked for lies after the last one."""

    def __init__(self, first: str, last: str) -> None:
        super().__init__(f"No session lies between: from={first} is later than to={last}.")
        self.first = first
        self.last = last


class KnownAtInFuture(MarketDataError):
    """What could be known at an instant is asked for before it has come."""

    def __init__(self, known_at: str) -> None:
        super().__init__(f"known_at={known_at} lies in the future; nobody can tell what will be known then.")
        self.known_at = known_at


class ListingRejected(MarketDataError):
    """What a source says about a listing is too little to follow it; nothing was added."""

    def __init__(self, symbol: str, reason: str) -> None:
        super().__init__(f"{symbol} cannot be added: {reason}.")
        self.symbol = symbol
        self.reason = reason


class ScorerUnavailable(MarketDataError):
    """A scorer of texts cannot be loaded: its libraries or its weights are missing."""

    def __init__(self, scorer: str, reason: str) -> None:
        super().__init__(f"The scorer {scorer} cannot be used: {reason}.")
        self.scorer = scorer
        self.reason = reason
