"""What can go wrong with instruments, bars and their sources."""

from collections.abc import Sequence


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


class ProviderUnavailable(MarketDataError):
    """The source did not answer, or not in a way that can be used now; asking again later may help."""

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason


class ProviderRejected(MarketDataError):
    """The source understood and refused (unknown symbol, bad key); asking again does not help."""

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason


class SessionUnknown(MarketDataError):
    """The exchange's calendar has no such session."""

    def __init__(self, mic: str, day: str) -> None:
        super().__init__(f"{day} is not a session of {mic}.")
        self.mic = mic
        self.day = day


class ScorerUnavailable(MarketDataError):
    """A scorer of texts cannot be loaded: its libraries or its weights are missing."""

    def __init__(self, scorer: str, reason: str) -> None:
        super().__init__(f"The scorer {scorer} cannot be used: {reason}.")
        self.scorer = scorer
        self.reason = reason
