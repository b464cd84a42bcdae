"""Errors of instruments, bars, news and their providers."""

from collections.abc import Sequence
from enum import StrEnum


class MarketDataError(Exception):
    """Base of every error of this app."""


class SymbolMalformed(MarketDataError):
    """The text cannot be a symbol of any exchange."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"Invalid symbol: {symbol[:32]!r}.")
        self.symbol = symbol[:32]


class SymbolUnknown(MarketDataError):
    """No instrument has this symbol; `suggestions` are the closest existing symbols."""

    def __init__(self, symbol: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(f"Unknown symbol: {symbol}.")
        self.symbol = symbol
        self.suggestions = tuple(suggestions)


class FailureKind(StrEnum):
    """Why a provider call gave no usable answer."""

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
        """Whether further requests to the same source would fail as well."""
        return self not in (
            FailureKind.UNKNOWN_SYMBOL,
            FailureKind.EMPTY,
            FailureKind.MALFORMED,
            FailureKind.PARTIAL,
        )


class ProviderUnavailable(MarketDataError):
    """The source gave no usable answer now; a later retry may succeed.

    `retry_after_s` is the known delay, if any. `attempted` is false when no request was sent (budget or open circuit).
    """

    def __init__(
        self,
        provider: str,
        reason: str,
        kind: FailureKind = FailureKind.UNREACHABLE,
        *,
        retry_after_s: float | None = None,
        attempted: bool = True,
    ) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.attempted = attempted


class ProviderRejected(MarketDataError):
    """The source refused the request (unknown symbol, invalid key); a retry does not help."""

    def __init__(self, provider: str, reason: str, kind: FailureKind = FailureKind.UNKNOWN_SYMBOL) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.kind = kind


class BarFileInvalid(MarketDataError):
    """The file does not contain daily bars; nothing was stored."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} was not imported: {reason}.")
        self.name = name
        self.reason = reason


class SessionUnknown(MarketDataError):
    """The exchange's calendar has no such session."""

    def __init__(self, mic: str, day: str) -> None:
        super().__init__(f"{day} is not a session of {mic}.")
        self.mic = mic
        self.day = day


class DateRangeEmpty(MarketDataError):
    """The requested first day is after the last day."""

    def __init__(self, first: str, last: str) -> None:
        super().__init__(f"Empty date range: from={first} is later than to={last}.")
        self.first = first
        self.last = last


class KnownAtInFuture(MarketDataError):
    """`known_at` is in the future."""

    def __init__(self, known_at: str) -> None:
        super().__init__(f"known_at={known_at} is in the future.")
        self.known_at = known_at


class ListingRejected(MarketDataError):
    """The source's description of a listing is incomplete; nothing was added."""

    def __init__(self, symbol: str, reason: str) -> None:
        super().__init__(f"{symbol} was not added: {reason}.")
        self.symbol = symbol
        self.reason = reason


class ScorerUnavailable(MarketDataError):
    """A sentiment scorer cannot be loaded: its libraries or weights are missing."""

    def __init__(self, scorer: str, reason: str) -> None:
        super().__init__(f"The scorer {scorer} is unavailable: {reason}.")
        self.scorer = scorer
        self.reason = reason
