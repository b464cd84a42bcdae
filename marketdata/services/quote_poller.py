"""Poll quotes of watched instruments in open sessions, within call budgets, one run at a time."""

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
from marketdata.provider_records import QuoteRecord
from marketdata.providers.base import Provider, QuoteProvider
from marketdata.providers.catalog import configured_providers
from marketdata.providers.failover import fetch_first_quote
from marketdata.providers.quote_quota import QuotaLimitedProvider, QuoteQuota, quote_quota
from marketdata.selectors import vendor_symbols
from marketdata.services.quotes import publish_prices, store_quote
from marketdata.watched_instruments import last_request_times, mark_requested
from store.client import redis_client

log = structlog.get_logger(__name__)

LOCK = "quotes:poller"
# Longer than any run: after it another worker takes over from a dead one.
LOCK_TIMEOUT_S = 120
MAX_RUN_S = 40.0
MAX_QUOTES_PER_RUN = 240
CHUNK_SIZE = 24
THREADS = 4
# Celery Beat may fire slightly early.
SCHEDULE_TOLERANCE_S = 1.0

Providers = Callable[[], Sequence[Provider]]
QuoteOrError = tuple[str, QuoteRecord] | MarketDataError


@dataclass(frozen=True, slots=True)
class PollReport:
    """Counts of a poller run; `claimed` is false if another worker was polling."""

    claimed: bool = True
    watched: int = 0
    requested: int = 0
    stored: int = 0
    rejected: int = 0
    failed: int = 0

    def __add__(self, other: "PollReport") -> "PollReport":
        return PollReport(
            self.claimed,
            self.watched + other.watched,
            self.requested + other.requested,
            self.stored + other.stored,
            self.rejected + other.rejected,
            self.failed + other.failed,
        )


def poll_quotes(*, now: datetime, providers: Providers = configured_providers) -> PollReport:
    """Fetch the quotes that are due; store and publish the valid ones.

    A quote is due for a watched instrument in an open session whose last request is older than the configured interval,
    or than the interval that spreads the day's budget over the session. The longest-waiting come first. Only one run
    is active: a second call does nothing, nor does a call without quote providers or without Redis.
    """
    try:
        with _claimed() as claimed:
            return _run(now, providers) if claimed else PollReport(claimed=False)
    except RedisError as error:
        log.warning("quotes_not_polled", reason=type(error).__name__)
        return PollReport(claimed=False)


@contextmanager
def _claimed() -> Iterator[bool]:
    """Yield whether this process holds the polling lock; it expires if its holder dies."""
    lock = redis_client().lock(LOCK, timeout=LOCK_TIMEOUT_S, blocking=False)
    if not lock.acquire():
        yield False
        return
    try:
        yield True
    finally:
        # The lock may have expired and belong to another worker by now.
        with suppress(LockError):
            lock.release()


def _run(now: datetime, providers: Providers) -> PollReport:
    names = [provider.name for provider in providers() if isinstance(provider, QuoteProvider)]
    quotas = {name: quota for name in names if not (quota := quote_quota(name)).is_spent}
    if not quotas:
        return PollReport()
    requested_at = last_request_times(now)
    due = _due(requested_at, quotas, now)
    report = PollReport(watched=len(requested_at))
    started = time.perf_counter()
    for first in range(0, min(len(due), MAX_QUOTES_PER_RUN), CHUNK_SIZE):
        seconds = time.perf_counter() - started
        if seconds > MAX_RUN_S:
            break
        chunk_report = _poll_chunk(due[first : first + CHUNK_SIZE], providers, quotas, now + timedelta(seconds=seconds))
        report += chunk_report
        if not chunk_report.requested:
            break
    if report.requested:
        log.info(
            "quotes_polled",
            watched=report.watched,
            requested=report.requested,
            stored=report.stored,
            failed=report.failed,
        )
    return report


def _due(requested_at: Mapping[int, float], quotas: Mapping[str, QuoteQuota], now: datetime) -> list[Instrument]:
    """Return the watched instruments whose quotes are due, longest-waiting first."""
    listed = Instrument.objects.filter(pk__in=requested_at, delisted_on__isnull=True)
    closes = {
        instrument: close_instant(instrument.mic, session)
        for instrument in listed
        if (session := open_session(instrument.mic, now)) is not None
    }
    lefts = [quota.left for quota in quotas.values()]
    # A limited budget is spread over the rest of the session.
    interval_share = 0.0 if None in lefts else len(closes) / sum(left for left in lefts if left is not None)
    due = [
        instrument
        for instrument, close in closes.items()
        if now.timestamp() - requested_at[instrument.pk] + SCHEDULE_TOLERANCE_S
        >= max(settings.HINDCAST_MARKETDATA.quote_every_s, interval_share * (close - now).total_seconds())
    ]
    return sorted(due, key=lambda instrument: (requested_at[instrument.pk], instrument.symbol))


def _poll_chunk(
    instruments: Sequence[Instrument], providers: Providers, quotas: Mapping[str, QuoteQuota], now: datetime
) -> PollReport:
    """Poll a chunk concurrently; new providers per chunk, because each has one deadline per run."""
    sources = [
        QuotaLimitedProvider(provider, vendor_symbols(provider.name), quotas[provider.name])
        for provider in providers()
        if isinstance(provider, QuoteProvider) and provider.name in quotas
    ]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="quotes") as threads:
        results = list(threads.map(partial(_fetch_quote, sources), [instrument.symbol for instrument in instruments]))
    requested_symbols = set[str]().union(*(source.requested for source in sources))
    requested = [instrument.pk for instrument in instruments if instrument.symbol in requested_symbols]
    mark_requested(requested, at=now)
    outcomes = _store_quotes(dict(zip(instruments, results, strict=True)), now)
    stored, failed = outcomes.count("stored"), outcomes.count("failed")
    rejected = len(outcomes) - stored - failed - outcomes.count("unchanged")
    return PollReport(requested=len(requested), stored=stored, rejected=rejected, failed=failed)


def _fetch_quote(sources: Sequence[QuotaLimitedProvider], symbol: str) -> QuoteOrError:
    try:
        return fetch_first_quote(sources, symbol)
    except (ProviderUnavailable, ProviderRejected) as error:
        return error


@transaction.atomic
def _store_quotes(results: Mapping[Instrument, QuoteOrError], now: datetime) -> list[str]:
    """Store the quotes and publish the new ones after commit; returns the outcome of each result."""
    known = latest_prices_by_pk([instrument.pk for instrument in results], now=now)
    outcomes: list[str] = []
    updated: list[Instrument] = []
    for instrument, result in results.items():
        if isinstance(result, MarketDataError):
            outcomes.append("failed")
            continue
        source, quote = result
        outcome = store_quote(
            instrument=instrument, source=source, quote=quote, known=known.get(instrument.pk), now=now
        )
        outcomes.append(outcome)
        if outcome == "stored":
            updated.append(instrument)
    publish_prices(updated, now=now)
    return outcomes
