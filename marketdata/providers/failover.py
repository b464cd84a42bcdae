"""Asking several providers: counted, timed, all symbols at once, and the next one when the first fails."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import structlog
from prometheus_client import Counter, Histogram

from marketdata.errors import FailureKind, MarketDataError, ProviderRejected, ProviderUnavailable
from marketdata.providers.base import DailyHistory, Provider, QuoteProvider, QuoteRecord

log = structlog.get_logger(__name__)

CALLS = Counter("hindcast_provider_calls", "Calls to providers of market data.", ["provider", "outcome"])
FAILURES = Counter(
    "hindcast_provider_failures", "Why providers of market data gave nothing usable.", ["provider", "kind"]
)
SECONDS = Histogram(
    "hindcast_provider_call_seconds",
    "How long providers of market data took to answer.",
    ["provider"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0),
)

Answer = DailyHistory | MarketDataError


@dataclass(frozen=True, slots=True)
class PrefetchedProvider:
    """A provider whose answers are there already."""

    name: str
    answers: Mapping[str, Answer]
    parallel_calls: int = 1

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """The answer about the symbol that was given before, or the error."""
        answer = self.answers[symbol]
        if isinstance(answer, MarketDataError):
            raise answer
        return answer


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """What one provider has to say about a symbol: a history, or why there is none."""

    provider: str
    history: DailyHistory | None
    reason: str = ""
    kind: FailureKind | None = None


def prefetch_histories(
    providers: Sequence[Provider], source_of: Mapping[str, str], *, first: date, last: date
) -> list[Provider]:
    """The same providers, those that take parallel calls asked for every symbol already.

    source_of: the source of the stored series of each symbol, empty where there is none. Series change their source
    only together, because stocks are compared session by session: when a provider could not answer for all, its
    answers stand for the symbols that are its own already.
    """
    return [
        PrefetchedProvider(provider.name, _together(provider, source_of, first=first, last=last))
        if provider.parallel_calls > 1
        else provider
        for provider in providers
    ]


def provider_results(
    providers: Iterable[Provider], symbol: str, *, first: date, last: date
) -> Iterator[ProviderResult]:
    """What each provider says about the symbol, in order; the next one is asked only when it is wanted."""
    for provider in providers:
        answer = (
            _ready(provider, symbol)
            if isinstance(provider, PrefetchedProvider)
            else _asked(provider, symbol, first=first, last=last)
        )
        if isinstance(answer, MarketDataError):
            yield ProviderResult(provider.name, None, str(answer), failure_kind(answer))
        elif not answer.bars:
            yield ProviderResult(provider.name, None, f"{provider.name}: no bars", FailureKind.EMPTY)
        else:
            yield ProviderResult(provider.name, answer)


def fetch_first_quote(providers: Iterable[Provider | QuoteProvider], symbol: str) -> tuple[str, QuoteRecord]:
    """The newest price and the name of the first provider that tells one.

    Raises the last provider's error when none does, and ProviderRejected when there is none to ask.
    """
    told: MarketDataError = ProviderRejected("quotes", "no source of quotes is configured")
    for provider in providers:
        if not isinstance(provider, QuoteProvider):
            continue
        started = time.perf_counter()
        try:
            quote = provider.fetch_quote(symbol)
        except (ProviderUnavailable, ProviderRejected) as error:
            told = error
            if getattr(error, "attempted", True):
                outcome = "rejected" if isinstance(error, ProviderRejected) else "unavailable"
                _count(provider.name, outcome, time.perf_counter() - started, error.kind)
                log.warning("quote_call", provider=provider.name, symbol=symbol, kind=str(error.kind))
        else:
            _count(provider.name, "answered", time.perf_counter() - started)
            return provider.name, quote
    raise told


def failure_kind(error: MarketDataError) -> FailureKind | None:
    """Why a provider gave nothing, None for errors that are not about providers."""
    return error.kind if isinstance(error, ProviderUnavailable | ProviderRejected) else None


def _ready(provider: PrefetchedProvider, symbol: str) -> Answer:
    return provider.answers[symbol]


def _together(provider: Provider, source_of: Mapping[str, str], *, first: date, last: date) -> dict[str, Answer]:
    with ThreadPoolExecutor(provider.parallel_calls, thread_name_prefix=provider.name) as threads:
        calls = {
            symbol: threads.submit(_asked, provider, symbol, first=first, last=last)
            for symbol in dict.fromkeys(source_of)
        }
        answers: dict[str, Answer] = {symbol: call.result() for symbol, call in calls.items()}
    return answers | _held_back(provider.name, answers, source_of)


def _held_back(name: str, answers: Mapping[str, Answer], source_of: Mapping[str, str]) -> dict[str, Answer]:
    """Refusals in place of the answers that would make only some of the series change their source."""
    in_time = [symbol for symbol, answer in answers.items() if not isinstance(answer, ProviderUnavailable)]
    if len(in_time) == len(answers):
        return {}
    reason = f"answered for {len(in_time)} of {len(answers)} symbols, and series change their source together"
    return {
        symbol: ProviderUnavailable(name, reason)
        for symbol in in_time
        if source_of[symbol] != name and not isinstance(answers[symbol], ProviderRejected)
    }


def _asked(provider: Provider, symbol: str, *, first: date, last: date) -> Answer:
    """The provider's answer or its error; the call is counted, timed and logged."""
    started = time.perf_counter()
    answer: Answer
    try:
        answer = provider.fetch_daily_bars(symbol, first=first, last=last)
        outcome = "answered" if answer.bars else "empty"
    except (ProviderUnavailable, ProviderRejected) as error:
        answer = error
        outcome = "rejected" if isinstance(error, ProviderRejected) else "unavailable"
    seconds = time.perf_counter() - started
    kind = failure_kind(answer) if isinstance(answer, MarketDataError) else None if answer.bars else FailureKind.EMPTY
    _count(provider.name, outcome, seconds, kind)
    tell = log.warning if isinstance(answer, MarketDataError) else log.debug
    tell(
        "provider_call",
        provider=provider.name,
        symbol=symbol,
        outcome=outcome,
        kind=str(kind or ""),
        seconds=round(seconds, 3),
    )
    return answer


def _count(provider: str, outcome: str, seconds: float, kind: FailureKind | None = None) -> None:
    if kind is not None:
        FAILURES.labels(provider, kind).inc()
    CALLS.labels(provider, outcome).inc()
    SECONDS.labels(provider).observe(seconds)
