"""Bringing bars in: ask the sources, judge what they say, store what is believed, keep a record of how it went."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import structlog
from django.db import transaction

from marketdata.adjustments import basis_ratio, no_common_session, replacement_problem, same_basis, split_factor
from marketdata.calendars import exchange_day, latest_session
from marketdata.models import IngestionRun, Instrument
from marketdata.providers.aliases import AliasedProvider
from marketdata.providers.base import DailyHistory, Provider
from marketdata.providers.catalog import configured_providers
from marketdata.providers.failover import prefetch_histories, provider_results
from marketdata.quality.bars import CheckedBars, check_bars, reject_disagreeing
from marketdata.selectors import active_instruments, bars_for, vendor_symbols
from marketdata.services import bar_store
from marketdata.services.instruments import ensure_sample_instruments
from marketdata.services.quotes import publish_prices

log = structlog.get_logger(__name__)

HISTORY_STARTS = date(2013, 1, 2)
LONGEST_RUN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """One source's history of an instrument, sorted into believable and refused bars."""

    source: str
    history: DailyHistory
    judged: CheckedBars


def ingest_all(
    *,
    through: date,
    now: datetime,
    instruments: Sequence[Instrument] | None = None,
    providers: Sequence[Provider] | None = None,
) -> list[IngestionRun]:
    """Bring every active instrument, or the given ones, up to session `through`; one run for each.

    Without any instrument in the store the shipped stocks are added first. Providers are those of the settings. A
    second call finds nothing to change and says so in its runs. Whoever follows prices is told what changed.
    """
    if instruments is None:
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        instruments = list(active_instruments())
    asked = prefetch_histories(
        [
            AliasedProvider(provider, vendor_symbols(provider.name))
            for provider in (configured_providers() if providers is None else providers)
        ],
        {instrument.symbol: instrument.source for instrument in instruments},
        first=HISTORY_STARTS,
        last=through,
    )
    runs = [
        ingest_instrument(instrument=instrument, through=through, providers=asked, now=now)
        for instrument in instruments
    ]
    publish_prices([run.instrument for run in runs if run.bars_new or run.bars_changed], now=now)
    return runs


def ingest_instrument(
    *, instrument: Instrument, through: date, providers: Sequence[Provider], now: datetime
) -> IngestionRun:
    """Ask the providers in order and store what the first acceptable one says of sessions that have closed.

    When none is acceptable the run is marked failed, with the reasons, and every stored bar stays.
    """
    started = time.perf_counter()
    _close_abandoned_runs(instrument, now)
    run = IngestionRun.objects.create(instrument=instrument, started_at=now)
    last_final = min(through, latest_session(instrument.mic, now), instrument.delisted_on or through)
    reasons: list[str] = []
    for offer in provider_results(providers, instrument.symbol, first=HISTORY_STARTS, last=last_final):
        reason = offer.reason
        if offer.history is not None:
            judgement = _judge(instrument, offer.provider, offer.history, last_final=last_final, now=now)
            reason = _take(run, judgement, reasons, now=now, started=started)
        if not reason:
            break
        reasons.append(reason)
    else:
        run.status = IngestionRun.Status.FAILED
        run.detail = f"{'; '.join(reasons)}. Stored bars are kept as they were."
        run.finished_at = _moment(now, started)
        run.save()
    log.info(
        "ingested",
        symbol=instrument.symbol,
        status=run.status,
        provider=run.provider,
        new=run.bars_new,
        changed=run.bars_changed,
        quarantined=run.bars_quarantined,
        detail=run.detail,
    )
    return run


def _judge(
    instrument: Instrument, source: str, history: DailyHistory, *, last_final: date, now: datetime
) -> _Judgement:
    """Sessions after the last one asked for, up to today's running one, are not refused: they are not wanted yet."""
    today = exchange_day(instrument.mic, now)
    wanted = [bar for bar in history.bars if not last_final < bar.session <= today]
    judged = check_bars(wanted, mic=instrument.mic, last_final=last_final, actions=history.actions)
    return _Judgement(source, history, judged)


@transaction.atomic
def _take(run: IngestionRun, judgement: _Judgement, reasons: Sequence[str], *, now: datetime, started: float) -> str:
    """Store the history and finish the run, or say in one sentence why not; refused bars are kept apart either way."""
    instrument = Instrument.objects.select_for_update().get(pk=run.instrument_id)
    source, judged = judgement.source, judgement.judged
    bar_store.quarantine(instrument=instrument, refused=judged.refused, source=source, seen_at=now)
    run.bars_quarantined += len(judged.refused)
    if not judged.good:
        return f"{source}: no bars that can be believed"
    stored: dict[date, Decimal] = dict(bars_for(instrument).values_list("session", "close"))
    replaces, problem = _replacement(instrument, judgement, stored)
    if problem:
        return f"{source}: {problem}"
    if instrument.source not in ("", source):
        agreed = reject_disagreeing(judged, stored)
        disputed, judged = agreed.refused[len(judged.refused) :], agreed
        bar_store.quarantine(instrument=instrument, refused=disputed, source=source, seen_at=now)
        run.bars_quarantined += len(disputed)
    if replaces:
        bar_store.drop_other_history(instrument=instrument, bars=judged.good, source=source)
    written = bar_store.write_bars(instrument=instrument, bars=judged.good, source=source, fetched_at=now)
    bar_store.write_actions(instrument=instrument, actions=judgement.history.actions, source=source)
    update_source(instrument, source, judgement.history.basis_date)
    run.status = IngestionRun.Status.DONE
    run.provider = source
    run.bars_new, run.bars_changed, run.bars_unchanged = written.new, written.changed, written.unchanged
    news = f"The whole series is now {source}'s." if replaces and instrument.source else change_summary(source, written)
    run.detail = "; ".join(reasons) + f". {news}" if reasons else news
    run.finished_at = _moment(now, started)
    run.save()
    return ""


def _replacement(instrument: Instrument, judgement: _Judgement, stored: Mapping[date, Decimal]) -> tuple[bool, str]:
    """Whether the history would replace the stored series as a whole, and why it must not, empty when it may.

    It replaces one of another source, and one of the same source whose prices stand on an older basis. One that goes
    on after a pause, as a source does that tells only its newest sessions, is not joined to what ended before it.
    """
    offered = {bar.session: bar.close for bar in judgement.judged.good}
    ratio = basis_ratio(stored, offered)
    if instrument.source in ("", judgement.source):
        if stored and ratio is None:
            return False, no_common_session(stored, offered)
        if ratio is None or same_basis(ratio):
            return False, ""
    basis = judgement.history.basis_date
    splits = split_factor(judgement.history.actions, after=instrument.basis_date or basis, through=basis)
    return True, replacement_problem(stored, offered, expected_ratio=1 / splits)


def update_source(instrument: Instrument, source: str, basis_date: date) -> None:
    """Note where the stored series comes from, and up to when splits are applied to it."""
    if (instrument.source, instrument.basis_date) != (source, basis_date):
        Instrument.objects.filter(pk=instrument.pk).update(source=source, basis_date=basis_date)


def change_summary(source: str, written: bar_store.Written) -> str:
    """What was stored, in one sentence."""
    if written.new or written.changed:
        return f"{written.new} new and {written.changed} changed bars from {source}."
    return "Nothing changed."


def _close_abandoned_runs(instrument: Instrument, now: datetime) -> None:
    """A run whose process died would look as if it were still going on."""
    IngestionRun.objects.filter(
        instrument=instrument, status=IngestionRun.Status.RUNNING, started_at__lt=now - LONGEST_RUN
    ).update(status=IngestionRun.Status.FAILED, finished_at=now, detail="It stopped before it was finished.")


def _moment(now: datetime, started: float) -> datetime:
    """The instant that it is, for a call that began at `now`."""
    return now + timedelta(seconds=time.perf_counter() - started)
