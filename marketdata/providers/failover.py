"""Query providers in order with metrics: parallel prefetch, then fall back to the next provider on failure."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import structlog
from prometheus_client import Counter, Histogram

from marketdata.errors import FailureKind, MarketDataError, ProviderRejected, ProviderUnavailable
from marketdata.provider_records import QuoteRecord
from marketdata.providers.base import DailyHistory, Provider, QuoteProvider

log = structlog.get_logger(__name__)

CALLS = Counter("hindcast_provider_calls", "Calls to market data providers.", ["provider", "outcome"])
FAILURES = Counter(
    "hindcast_provider_failures", "Failed calls to market data providers, by kind.", ["provider", "kind"]
)
SECONDS = Histogram(
    "hindcast_provider_call_seconds",
    "Latency of market data providers.",
    ["provider"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0),
)

MAX_UNAVAILABLE_SHARE = 0.1

HistoryOrError = DailyHistory | MarketDataError


@dataclass(frozen=True, slots=True)
class AliasedProvider:
    """Provider with its own symbols for some instruments; `symbols` maps ours to the provider's."""

    provider: Provider
    symbols: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def parallel_calls(self) -> int:
        return self.provider.parallel_calls

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Fetch the bars under the provider's symbol."""
        return self.provider.fetch_daily_bars(self.symbols.get(symbol, symbol), first=first, last=last)


@dataclass(frozen=True, slots=True)
class PrefetchedProvider:
    """Provider whose responses are already fetched; `origin` fetches one again, if it is known."""

    name: str
    results: Mapping[str, HistoryOrError]
    parallel_calls: int = 1
    origin: Provider | None = None

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Return the prefetched history of the symbol, or raise its error."""
        result = self.results[symbol]
        if isinstance(result, MarketDataError):
            raise result
        return result


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """History of a symbol from one provider, or the reason why there is none."""

    provider: str
    history: DailyHistory | None
    reason: str = ""
    kind: FailureKind | None = None


def prefetch_histories(
    providers: Sequence[Provider], source_of: Mapping[str, str], *, first: date, last: date
) -> list[Provider]:
    """Prefetch every symbol from the providers that allow parallel calls; the others stay as they are.

    source_of: current source of each symbol's stored series, empty for none. All series switch their source together,
    because stocks are compared session by session: if a provider fails for some symbols, its responses are used only
    for symbols it already serves.
    """
    return [
        PrefetchedProvider(provider.name, _fetch_all(provider, source_of, first=first, last=last), origin=provider)
        if provider.parallel_calls > 1
        else provider
        for provider in providers
    ]


def provider_results(
    providers: Iterable[Provider], symbol: str, *, first: date, last: date
) -> Iterator[ProviderResult]:
    """Yield each provider's result for the symbol, in order; providers are queried lazily."""
    for provider in providers:
        result = (
            provider.results[symbol]
            if isinstance(provider, PrefetchedProvider)
            else _fetch(provider, symbol, first=first, last=last)
        )
        if isinstance(result, MarketDataError):
            yield ProviderResult(provider.name, None, str(result), failure_kind(result))
        elif not result.bars:
            yield ProviderResult(provider.name, None, f"{provider.name}: no bars", FailureKind.EMPTY)
        else:
            yield ProviderResult(provider.name, result)


def second_result(provider: Provider, symbol: str, *, first: date, last: date) -> ProviderResult:
    """Fetch a history once more, to tell a persistent fault from a glitch."""
    origin = provider.origin if isinstance(provider, PrefetchedProvider) else provider
    return next(provider_results([origin or provider], symbol, first=first, last=last))


def fetch_first_quote(providers: Iterable[Provider | QuoteProvider], symbol: str) -> tuple[str, QuoteRecord]:
    """Return the first provider that has a quote, and the quote.

    Raises the last provider's error if all fail, and ProviderRejected if no quote provider is configured.
    """
    last_error: MarketDataError = ProviderRejected("quotes", "no quote provider is configured")
    for provider in providers:
        if not isinstance(provider, QuoteProvider):
            continue
        started = time.perf_counter()
        try:
            quote = provider.fetch_quote(symbol)
        except (ProviderUnavailable, ProviderRejected) as error:
            last_error = error
            if getattr(error, "attempted", True):
                outcome = "rejected" if isinstance(error, ProviderRejected) else "unavailable"
                _count(provider.name, outcome, time.perf_counter() - started, error.kind)
                log.warning("quote_call", provider=provider.name, symbol=symbol, kind=str(error.kind))
        else:
            _count(provider.name, "answered", time.perf_counter() - started)
            return provider.name, quote
    raise last_error


def failure_kind(error: MarketDataError) -> FailureKind | None:
    """Return the failure kind of a provider error; None for other errors."""
    return error.kind if isinstance(error, ProviderUnavailable | ProviderRejected) else None


def _fetch_all(
    provider: Provider, source_of: Mapping[str, str], *, first: date, last: date
) -> dict[str, HistoryOrError]:
    with ThreadPoolExecutor(provider.parallel_calls, thread_name_prefix=provider.name) as threads:
        calls = {
            symbol: threads.submit(_fetch, provider, symbol, first=first, last=last)
            for symbol in dict.fromkeys(source_of)
        }
        results: dict[str, HistoryOrError] = {symbol: call.result() for symbol, call in calls.items()}
    return results | _partial_source_switches(provider.name, results, source_of)


def _partial_source_switches(
    name: str, results: Mapping[str, HistoryOrError], source_of: Mapping[str, str]
) -> dict[str, HistoryOrError]:
    """Return errors for the results that would switch the source of only some series.

    A failure that concerns one instrument, such as an unreadable response, is not one of the provider. Up to a tenth
    of unavailable symbols do not keep the others from their first bars.
    """
    kinds = {symbol: failure_kind(one) for symbol, one in results.items() if isinstance(one, ProviderUnavailable)}
    unavailable = {symbol for symbol, kind in kinds.items() if kind is None or kind.stops_run}
    if not unavailable:
        return {}
    switched = {symbol for symbol in results if source_of[symbol] not in ("", name)}
    if len(unavailable) > MAX_UNAVAILABLE_SHARE * len(results):
        switched |= {symbol for symbol in results if not source_of[symbol]}
    count = f"{len(results) - len(unavailable)} of {len(results)}"
    reason = f"available for {count} symbols; series switch their source together"
    return {
        symbol: ProviderUnavailable(name, reason)
        for symbol in switched
        if not isinstance(results[symbol], MarketDataError)
    }


def _fetch(provider: Provider, symbol: str, *, first: date, last: date) -> HistoryOrError:
    """Return the provider's history or its error; count, time and log the call."""
    started = time.perf_counter()
    result: HistoryOrError
    try:
        result = provider.fetch_daily_bars(symbol, first=first, last=last)
        outcome = "answered" if result.bars else "empty"
    except (ProviderUnavailable, ProviderRejected) as error:
        result = error
        outcome = "rejected" if isinstance(error, ProviderRejected) else "unavailable"
    seconds = time.perf_counter() - started
    kind = failure_kind(result) if isinstance(result, MarketDataError) else None if result.bars else FailureKind.EMPTY
    _count(provider.name, outcome, seconds, kind)
    write_log = log.warning if isinstance(result, MarketDataError) else log.debug
    write_log(
        "provider_call",
        provider=provider.name,
        symbol=symbol,
        outcome=outcome,
        kind=str(kind or ""),
        seconds=round(seconds, 3),
    )
    return result


def _count(provider: str, outcome: str, seconds: float, kind: FailureKind | None = None) -> None:
    if kind is not None:
        FAILURES.labels(provider, kind).inc()
    CALLS.labels(provider, outcome).inc()
    SECONDS.labels(provider).observe(seconds)
