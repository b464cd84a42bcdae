"""The poller of quotes: asks for what is watched and open, within the quotas, one run at a time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction
from redis.exceptions import LockError, RedisError

from marketdata.calendars import close_instant, open_session
from marketdata.errors import MarketDataError, ProviderRejected, ProviderUnavailable
from marketdata.latest_prices import latest_prices_by_pk
from marketdata.models import Instrument
from marketdata.providers.base import Provider, QuoteProvider, QuoteRecord
from marketdata.providers.catalog import configured_providers
from marketdata.providers.failover import fetch_first_quote
from marketdata.providers.quote_quota import QuotaLimitedProvider, QuoteQuota, quote_quota
from marketdata.selectors import vendor_symbols
from marketdata.services.quotes import publish_prices, store_quote
from marketdata.watched_instruments import last_request_times, mark_requested
from store.client import redis_client

log = structlog.get_logger(__name__)

CLAIM = "quotes:poller"
# Longer than any run takes: another worker may go on when one has died.
CLAIM_S = 120
RUN_S = 40.0
MOST_A_RUN = 240
CHUNK = 24
THREADS = 4
# Beat may be a little early.
EARLY_S = 1.0

Providers = Callable[[], Sequence[Provider]]
Told = tuple[str, QuoteRecord] | MarketDataError


@dataclass(frozen=True, slots=True)
class PollReport:
    """What a run of the poller did; `claimed` is false when another one was at it."""

    claimed: bool = True
    watched: int = 0
    asked: int = 0
    told: int = 0
    refused: int = 0
    failed: int = 0

    def __add__(self, other: "PollReport") -> "PollReport":
        return PollReport(
            self.claimed,
            self.watched + other.watched,
            self.asked + other.asked,
            self.told + other.told,
            self.refused + other.refused,
            self.failed + other.failed,
        )


def poll_quotes(*, now: datetime, providers: Providers = configured_providers) -> PollReport:
    """Ask for the quotes that are due, store and tell what is believed.

    Due is what somebody watches, whose exchange is in session, and about which nobody asked for a while: the pause of
    the settings, or as long as the day's quotas have to last. Who waits longest comes first. One run at a time: a
    second call meanwhile does nothing, as does any without a source of quotes or without the store.
    """
    try:
        with _claimed() as claimed:
            return _run(now, providers) if claimed else PollReport(claimed=False)
    except RedisError as error:
        log.warning("quotes_not_polled", reason=type(error).__name__)
        return PollReport(claimed=False)


@contextmanager
def _claimed() -> Iterator[bool]:
    """Whether this process alone may poll now; a claim whose holder died runs out."""
    lock = redis_client().lock(CLAIM, timeout=CLAIM_S, blocking=False)
    if not lock.acquire():
        yield False
        return
    try:
        yield True
    finally:
        # Lost when it ran out meanwhile; somebody else's must not be given back.
        with suppress(LockError):
            lock.release()


def _run(now: datetime, providers: Providers) -> PollReport:
    names = [provider.name for provider in providers() if isinstance(provider, QuoteProvider)]
    quotas = {name: quota for name in names if not (quota := quote_quota(name)).is_spent}
    if not quotas:
        return PollReport()
    asked_at = last_request_times(now)
    due = _due(asked_at, quotas, now)
    report = PollReport(watched=len(asked_at))
    started = time.perf_counter()
    for first in range(0, min(len(due), MOST_A_RUN), CHUNK):
        seconds = time.perf_counter() - started
        if seconds > RUN_S:
            break
        done = _poll_chunk(due[first : first + CHUNK], providers, quotas, now + timedelta(seconds=seconds))
        report += done
        if not done.asked:
            break
    if report.asked:
        log.info("quotes_polled", watched=report.watched, asked=report.asked, told=report.told, failed=report.failed)
    return report


def _due(asked_at: Mapping[int, float], quotas: Mapping[str, QuoteQuota], now: datetime) -> list[Instrument]:
    """The watched instruments in session that nobody asked about for a while, who waits longest first."""
    listed = Instrument.objects.filter(pk__in=asked_at, delisted_on__isnull=True)
    closes = {
        instrument: close_instant(instrument.mic, session)
        for instrument in listed
        if (session := open_session(instrument.mic, now)) is not None
    }
    lefts = [quota.left for quota in quotas.values()]
    # A limited quota is spread over the rest of the sessions.
    each_s = 0.0 if None in lefts else len(closes) / sum(left for left in lefts if left is not None)
    due = [
        instrument
        for instrument, close in closes.items()
        if now.timestamp() - asked_at[instrument.pk] + EARLY_S
        >= max(settings.HINDCAST_MARKETDATA.quote_every_s, each_s * (close - now).total_seconds())
    ]
    return sorted(due, key=lambda instrument: (asked_at[instrument.pk], instrument.symbol))


def _poll_chunk(
    instruments: Sequence[Instrument], providers: Providers, quotas: Mapping[str, QuoteQuota], now: datetime
) -> PollReport:
    """Ask about some instruments at once, with sources made anew, because each gives a run of questions little time."""
    sources = [
        QuotaLimitedProvider(provider, vendor_symbols(provider.name), quotas[provider.name])
        for provider in providers()
        if isinstance(provider, QuoteProvider) and provider.name in quotas
    ]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="quotes") as threads:
        answers = list(threads.map(partial(_answer, sources), [instrument.symbol for instrument in instruments]))
    asked_symbols = set[str]().union(*(source.requested for source in sources))
    asked = [instrument.pk for instrument in instruments if instrument.symbol in asked_symbols]
    mark_requested(asked, at=now)
    outcomes = _stored(dict(zip(instruments, answers, strict=True)), now)
    told = outcomes.count("stored")
    passive = told + outcomes.count("unchanged") + outcomes.count("failed")
    return PollReport(asked=len(asked), told=told, refused=len(outcomes) - passive, failed=outcomes.count("failed"))


def _answer(sources: Sequence[QuotaLimitedProvider], symbol: str) -> Told:
    try:
        return fetch_first_quote(sources, symbol)
    except (ProviderUnavailable, ProviderRejected) as error:
        return error


@transaction.atomic
def _stored(answers: Mapping[Instrument, Told], now: datetime) -> list[str]:
    """Store the quotes among the answers and tell the news after commit; returns what became of each answer."""
    known = latest_prices_by_pk([instrument.pk for instrument in answers], now=now)
    outcomes: list[str] = []
    news: list[Instrument] = []
    for instrument, answer in answers.items():
        if isinstance(answer, MarketDataError):
            outcomes.append("failed")
            continue
        source, told = answer
        outcome = store_quote(instrument=instrument, source=source, told=told, known=known.get(instrument.pk), now=now)
        outcomes.append(outcome)
        if outcome == "stored":
            news.append(instrument)
    publish_prices(news, now=now)
    return outcomes
