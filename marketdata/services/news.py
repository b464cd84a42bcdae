"""Ingest news: fetch, filter by company, deduplicate, score and store articles."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from django.conf import settings

from marketdata.errors import ProviderRejected, ProviderUnavailable
from marketdata.models import Instrument
from marketdata.providers.base import ArticleRecord, NewsProvider
from marketdata.providers.failover import CALLS, FAILURES, SECONDS
from marketdata.providers.news_catalog import configured_news_providers
from marketdata.selectors import active_instruments
from marketdata.sentiment.catalog import load_scorer
from marketdata.sentiment.matching import Company
from marketdata.sentiment.types import Scorer
from marketdata.services.daily_sentiment import refresh_daily_sentiment
from marketdata.services.news_store import ArticleCounts, store_articles

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewsSourceReport:
    """Result of one source: stored counts, and one message per failure."""

    provider: str
    stored: ArticleCounts = field(default_factory=ArticleCounts)
    failures: tuple[str, ...] = ()


def ingest_news(
    *,
    now: datetime,
    instruments: Sequence[Instrument] | None = None,
    providers: Sequence[NewsProvider] | None = None,
    scorer: Scorer | None = None,
) -> list[NewsSourceReport]:
    """Fetch news of every active instrument, or the given ones, and refresh daily sentiment. Idempotent.

    Providers and scorer default to the configured ones; without providers the list is empty. A provider is skipped for
    the rest of the run after a failure that further requests would repeat; others are unaffected. The instrument order
    changes hourly, so that a small budget does not always leave out the same ones. Raises ScorerUnavailable before any
    request.
    """
    news = settings.HINDCAST_NEWS
    chosen_scorer = scorer or load_scorer(news.scorer, finbert_model=news.finbert_model)
    sources = configured_news_providers() if providers is None else providers
    companies = _rotated(active_instruments(), now) if instruments is None else instruments
    since = now - timedelta(days=news.lookback_days)
    return [_ingest_source(provider, companies, chosen_scorer, since=since, now=now) for provider in sources]


def _rotated(instruments: Iterable[Instrument], now: datetime) -> list[Instrument]:
    """Order the instruments pseudo-randomly, with a new order every hour."""
    hour = f"{now:%Y-%m-%dT%H}"
    return sorted(instruments, key=lambda instrument: sha256(f"{hour} {instrument.symbol}".encode()).digest())


def _ingest_source(
    provider: NewsProvider, instruments: Iterable[Instrument], scorer: Scorer, *, since: datetime, now: datetime
) -> NewsSourceReport:
    report = NewsSourceReport(provider.name)
    for instrument in instruments:
        company = Company(instrument.symbol, instrument.name)
        records = _fetch_articles(provider, company, since)
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
    log.info("news_ingested", provider=provider.name, new=report.stored.new, duplicates=report.stored.duplicates)
    return report


def _fetch_articles(
    provider: NewsProvider, company: Company, since: datetime
) -> Sequence[ArticleRecord] | ProviderUnavailable | ProviderRejected:
    """Return the provider's articles or its error; count, time and log the call."""
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
