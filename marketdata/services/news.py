"""Bringing news in: ask the sources, keep what is about the company, join what says the same, score and date it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from django.conf import settings

from marketdata.errors import ProviderRejected, ProviderUnavailable
from marketdata.models import Instrument
from marketdata.providers.failover import CALLS, FAILURES, SECONDS
from marketdata.providers.news_base import ArticleRecord, NewsProvider
from marketdata.providers.news_catalog import configured_news_providers
from marketdata.selectors import active_instruments
from marketdata.sentiment.catalog import load_scorer
from marketdata.sentiment.matching import Company
from marketdata.sentiment.types import Scorer
from marketdata.services.daily_sentiment import refresh_daily_sentiment
from marketdata.services.news_store import Stored, store_articles

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewsSourceReport:
    """How one source was answered for: what it brought, and one sentence for each way in which it failed."""

    provider: str
    stored: Stored = field(default_factory=Stored)
    failures: tuple[str, ...] = ()


def ingest_news(
    *,
    now: datetime,
    instruments: Sequence[Instrument] | None = None,
    providers: Sequence[NewsProvider] | None = None,
    scorer: Scorer | None = None,
) -> list[NewsSourceReport]:
    """Ask every source about every active instrument, or the given ones, and bring the moods up to date.

    Sources and scorer are those of the settings; without any source the list is empty. A source that fails is left
    alone for the rest of the run where asking again is of no use, and costs the others nothing. A second call stores
    nothing twice. Where a budget ends before the instruments do, it is not the same ones that are left out each time.
    Raises ScorerUnavailable before any source is asked.
    """
    news = settings.HINDCAST_NEWS
    reader = scorer or load_scorer(news.scorer, finbert_model=news.finbert_model)
    asked = configured_news_providers() if providers is None else providers
    companies = _in_turn(active_instruments(), now) if instruments is None else instruments
    since = now - timedelta(days=news.lookback_days)
    return [_from_source(provider, companies, reader, since=since, now=now) for provider in asked]


def _in_turn(instruments: Iterable[Instrument], now: datetime) -> list[Instrument]:
    """The instruments in an order that is another one in every hour and the same within it."""
    hour = f"{now:%Y-%m-%dT%H}"
    return sorted(instruments, key=lambda instrument: sha256(f"{hour} {instrument.symbol}".encode()).digest())


def _from_source(
    provider: NewsProvider, instruments: Iterable[Instrument], scorer: Scorer, *, since: datetime, now: datetime
) -> NewsSourceReport:
    report = NewsSourceReport(provider.name)
    for instrument in instruments:
        company = Company(instrument.symbol, instrument.name)
        records = _asked(provider, company, since)
        if isinstance(records, ProviderUnavailable | ProviderRejected):
            failures = (*report.failures, f"{instrument.symbol}: {records}")
            report = replace(report, failures=tuple(dict.fromkeys(failures)))
            if records.kind.stops_run:
                break
            continue
        stored, sessions = store_articles(
            instrument=instrument, provider=provider.name, records=records, scorer=scorer, now=now
        )
        refresh_daily_sentiment(instrument=instrument, sessions=sessions, now=now)
        report = replace(report, stored=report.stored + stored)
    log.info("news_ingested", provider=provider.name, new=report.stored.new, joined=report.stored.joined)
    return report


def _asked(
    provider: NewsProvider, company: Company, since: datetime
) -> Sequence[ArticleRecord] | ProviderUnavailable | ProviderRejected:
    """The provider's articles or its error; the call is counted, timed and logged."""
    started = time.perf_counter()
    try:
        records = provider.fetch_news(company, since=since)
    except (ProviderUnavailable, ProviderRejected) as error:
        CALLS.labels(provider.name, "rejected" if isinstance(error, ProviderRejected) else "unavailable").inc()
        FAILURES.labels(provider.name, error.kind).inc()
        log.warning("news_call", provider=provider.name, symbol=company.symbol, kind=error.kind, reason=error.reason)
        return error
    finally:
        SECONDS.labels(provider.name).observe(time.perf_counter() - started)
    CALLS.labels(provider.name, "answered" if records else "empty").inc()
    return records
