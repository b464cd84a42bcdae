"""Background work: ingestion of instruments, at once or piece by piece, and of news; quotes; probes of the sources."""

from celery import shared_task

from marketdata import clock, jobs
from marketdata.selectors import instruments_by_pk, latest_home_session
from marketdata.services.backfill import run_piece, stopped_backfills
from marketdata.services.ingestion import ingest_all
from marketdata.services.news import ingest_news
from marketdata.services.provider_health import probe_provider, provider_names
from marketdata.services.quote_poller import poll_quotes


@shared_task(name=jobs.INGEST)
def ingest(instrument_pks: list[int]) -> None:
    """Bring these instruments up to the last closed session; may run twice."""
    now = clock.now()
    ingest_all(through=latest_home_session(now), now=now, instruments=instruments_by_pk(instrument_pks))


@shared_task(name=jobs.PROBE_PROVIDERS)
def probe_providers() -> None:
    """Send off a probe for each source, so that a slow one keeps no other waiting."""
    for name in provider_names():
        jobs.enqueue(jobs.PROBE_PROVIDER, name)


@shared_task(name=jobs.PROBE_PROVIDER)
def probe_one_provider(name: str) -> None:
    """Find out how one source is; a name that is configured no more is left out."""
    if name in provider_names():
        probe_provider(name=name, now=clock.now())


@shared_task(name=jobs.INGEST_NEWS)
def ingest_all_news() -> None:
    """Ask every source of news that has a key about every active instrument; may run twice."""
    ingest_news(now=clock.now())


@shared_task(name=jobs.POLL_QUOTES)
def poll_watched_quotes() -> None:
    """Ask for the quotes that are due; nothing while another worker does."""
    poll_quotes(now=clock.now())


@shared_task(name=jobs.BACKFILL)
def backfill(backfill_pk: int) -> None:
    """Do one piece and send for the next; nothing when another worker has it."""
    if run_piece(backfill_pk=backfill_pk, now=clock.now()):
        jobs.enqueue(jobs.BACKFILL, backfill_pk)


@shared_task(name=jobs.SWEEP_BACKFILLS)
def sweep_backfills() -> None:
    """Go on with backfills that stopped; a second message for one is harmless."""
    for pk in stopped_backfills(now=clock.now()):
        jobs.enqueue(jobs.BACKFILL, pk)
