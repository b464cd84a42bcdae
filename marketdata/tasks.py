"""Celery tasks: ingestion, backfills, news, quotes and provider probes."""

from celery import shared_task

from marketdata import clock, jobs
from marketdata.selectors import instruments_by_pk, latest_home_session
from marketdata.services.backfill import run_chunk, stopped_backfills
from marketdata.services.ingestion import ingest_all
from marketdata.services.news import ingest_news
from marketdata.services.provider_health import probe_provider, provider_names
from marketdata.services.quote_poller import poll_quotes


@shared_task(name=jobs.INGEST)
def ingest(instrument_pks: list[int]) -> None:
    """Ingest these instruments up to the last closed session; idempotent."""
    now = clock.now()
    ingest_all(through=latest_home_session(now), now=now, instruments=instruments_by_pk(instrument_pks))


@shared_task(name=jobs.PROBE_PROVIDERS)
def probe_providers() -> None:
    """Enqueue one probe per source, so that a slow source does not delay the others."""
    for name in provider_names():
        jobs.enqueue(jobs.PROBE_PROVIDER, name)


@shared_task(name=jobs.PROBE_PROVIDER)
def probe_one_provider(name: str) -> None:
    """Probe one source; a source that is no longer configured is skipped."""
    if name in provider_names():
        probe_provider(name=name, now=clock.now())


@shared_task(name=jobs.INGEST_NEWS)
def ingest_all_news() -> None:
    """Fetch news of every active instrument from every enabled source; idempotent."""
    ingest_news(now=clock.now())


@shared_task(name=jobs.POLL_QUOTES)
def poll_watched_quotes() -> None:
    """Fetch live quotes for watched stocks; returns at once while another worker polls."""
    poll_quotes(now=clock.now())


@shared_task(name=jobs.BACKFILL)
def backfill(backfill_pk: int) -> None:
    """Run one chunk and enqueue the next; returns at once when another worker has the chunk."""
    if run_chunk(backfill_pk=backfill_pk, now=clock.now()):
        jobs.enqueue(jobs.BACKFILL, backfill_pk)


@shared_task(name=jobs.SWEEP_BACKFILLS)
def sweep_backfills() -> None:
    """Resume interrupted backfills; a duplicate message is harmless."""
    for pk in stopped_backfills(now=clock.now()):
        jobs.enqueue(jobs.BACKFILL, pk)
