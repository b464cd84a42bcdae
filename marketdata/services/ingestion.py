"""Ingest bars: query providers, validate, store, and record each run."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import structlog
from django.db import transaction

from marketdata.adjustments import basis_ratio, no_common_session, replacement_problem, same_basis, split_factor
from marketdata.bar_columns import columns_from_records
from marketdata.calendars import exchange_day, latest_session
from marketdata.models import IngestionRun, Instrument
from marketdata.provider_records import BarRecord
from marketdata.providers.base import DailyHistory, Provider
from marketdata.providers.catalog import configured_providers
from marketdata.providers.failover import (
    AliasedProvider,
    ProviderResult,
    prefetch_histories,
    provider_results,
    second_result,
)
from marketdata.quality.bars import CheckedBars, check_bars, reject_disagreeing
from marketdata.quality.histories import (
    adjustment_problem,
    last_price_problem,
    off_calendar_problem,
    repeated_newest_problem,
)
from marketdata.quality.listings import listing_problem, price_factor, scale_bars, scale_dividends
from marketdata.quality.shifts import Doubt, doubts_about
from marketdata.selectors import active_instruments, bars_for, vendor_symbols
from marketdata.services import bar_store
from marketdata.services.history_review import Decisions, decisions_about, request_reviews
from marketdata.services.instruments import ensure_sample_instruments
from marketdata.services.quotes import publish_prices

log = structlog.get_logger(__name__)

HISTORY_START = date(2013, 1, 2)
MAX_RUN_TIME = timedelta(hours=1)
UNCHANGED = "Nothing changed."


@dataclass(frozen=True, slots=True)
class _CheckedHistory:
    """One source's history in the instrument's currency, split into valid and rejected bars.

    `problem` says why the whole history is refused; empty if it is not. `doubts` are the changes of level that staff
    did not accept.
    """

    source: str
    original: DailyHistory
    checked: CheckedBars
    decisions: Decisions
    problem: str = ""
    doubts: Sequence[Doubt] = ()


def ingest_all(
    *,
    through: date,
    now: datetime,
    instruments: Sequence[Instrument] | None = None,
    providers: Sequence[Provider] | None = None,
) -> list[IngestionRun]:
    """Ingest every active instrument, or the given ones, up to session `through`; one run for each. Idempotent.

    If no instrument exists, the sample stocks are added first. `providers` default to the configured ones. Changed
    prices are published to subscribers.
    """
    if instruments is None:
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        instruments = list(active_instruments())
    prefetched = prefetch_histories(
        [
            AliasedProvider(provider, vendor_symbols(provider.name))
            for provider in (configured_providers() if providers is None else providers)
        ],
        {instrument.symbol: instrument.source for instrument in instruments},
        first=HISTORY_START,
        last=through,
    )
    runs = [
        ingest_instrument(instrument=instrument, through=through, providers=prefetched, now=now)
        for instrument in instruments
    ]
    publish_prices([run.instrument for run in runs if run.bars_new or run.bars_changed], now=now)
    return runs


def ingest_instrument(
    *, instrument: Instrument, through: date, providers: Sequence[Provider], now: datetime
) -> IngestionRun:
    """Store closed sessions from the first provider with an acceptable history.

    If none is acceptable, the run fails with the reasons and stored bars stay unchanged.
    """
    started = time.perf_counter()
    _close_abandoned_runs(instrument, now)
    run = IngestionRun.objects.create(instrument=instrument, started_at=now)
    last_final = min(through, latest_session(instrument.mic, now), instrument.delisted_on or through)
    reasons: list[str] = []
    results = provider_results(providers, instrument.symbol, first=HISTORY_START, last=last_final)
    for provider, result in zip(providers, results, strict=False):
        reason = result.reason
        if result.history is not None:
            history = _check(instrument, result.provider, result.history, last_final=last_final, now=now)
            if any(doubt.key not in history.decisions.rejected for doubt in history.doubts):
                again = second_result(provider, instrument.symbol, first=HISTORY_START, last=last_final)
                history = _doubt_again(instrument, history, again, last_final=last_final, now=now)
            reason = _store(run, history, reasons, now=now, started=started)
        if not reason:
            break
        reasons.append(reason)
    else:
        run.status = IngestionRun.Status.FAILED
        run.detail = f"{'; '.join(reasons)}. Stored bars are unchanged."
        run.finished_at = _elapsed_now(now, started)
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


def _check(
    instrument: Instrument, source: str, history: DailyHistory, *, last_final: date, now: datetime
) -> _CheckedHistory:
    """Validate a history; sessions after `last_final` up to today are ignored, not rejected."""
    decisions = decisions_about(instrument, source)
    problem = listing_problem(history.listing, mic=instrument.mic, currency=instrument.currency, on=history.basis_date)
    history = _in_currency(history, instrument.currency)
    today = exchange_day(instrument.mic, now)
    relevant = _oldest_first([bar for bar in history.bars if not last_final < bar.session <= today])
    columns = columns_from_records(relevant)
    closed = columns.select(columns.session <= np.datetime64(last_final))
    problem = problem or off_calendar_problem(columns, mic=instrument.mic)
    if not history.is_file:
        problem = problem or repeated_newest_problem(closed)
    if problem:
        return _CheckedHistory(source, history, CheckedBars([], []), decisions, problem)
    checked = check_bars(
        relevant,
        mic=instrument.mic,
        last_final=last_final,
        actions=history.actions,
        accepted=decisions.accepted_sessions,
    )
    if history.is_file:
        return _CheckedHistory(source, history, checked, decisions)
    good = columns_from_records(checked.good)
    last_price = None if history.last_price is None else float(history.last_price)
    problem = adjustment_problem(good, history.actions, basis=history.basis_date) or last_price_problem(
        good, last_price, basis=history.basis_date
    )
    stored = {session: float(close) for session, close in bars_for(instrument).values_list("session", "close")}
    explained = {*(action.session for action in history.actions), *decisions.accepted_levels}
    doubts = doubts_about(good, explained, stored=stored, rejected=checked.rejected)
    basis_change = _basis_change(instrument, source, history, checked, stored)
    if basis_change is not None:
        doubts.append(basis_change)
    return _CheckedHistory(source, history, checked, decisions, problem, decisions.undecided(doubts))


def _doubt_again(
    instrument: Instrument, first: _CheckedHistory, again: ProviderResult, *, last_final: date, now: datetime
) -> _CheckedHistory:
    """Return the second response; doubts that both responses share are put before staff."""
    if again.history is None:
        return replace(first, problem=first.problem or f"{first.doubts[0].reason} A second request failed")
    second = _check(instrument, first.source, again.history, last_final=last_final, now=now)
    keys = {doubt.key for doubt in first.doubts}
    request_reviews(
        instrument=instrument,
        source=first.source,
        doubts=[doubt for doubt in second.doubts if doubt.key in keys and doubt.key not in second.decisions.rejected],
        bars=second.original.bars,
        now=now,
    )
    return second


def _basis_change(
    instrument: Instrument, source: str, history: DailyHistory, checked: CheckedBars, stored: Mapping[date, float]
) -> Doubt | None:
    """Doubt a history of the stored source on another level that no split explains."""
    if instrument.source != source or instrument.basis_date is None:
        return None
    offered = {bar.session: bar.close for bar in checked.good}
    ratio = basis_ratio({day: Decimal(str(close)) for day, close in stored.items()}, offered)
    if ratio is None:
        return None
    splits = split_factor(history.actions, after=instrument.basis_date, through=history.basis_date)
    if same_basis(ratio) or same_basis(ratio * splits):
        return None
    reason = f"All prices are {float(ratio):.3g} times the stored ones, which no split explains."
    return Doubt("basis_change", instrument.basis_date, float(ratio), reason)


def _oldest_first(bars: Sequence[BarRecord]) -> list[BarRecord]:
    """Reverse a series in strictly descending order; leave any other order to the quality rules."""
    is_reversed = len(bars) > 1 and all(one.session > other.session for one, other in pairwise(bars))
    return list(bars[::-1] if is_reversed else bars)


def _in_currency(history: DailyHistory, currency: str) -> DailyHistory:
    """Convert a history in a minor unit, such as pence, to the instrument's currency."""
    factor = price_factor(history.listing, currency=currency)
    if factor == 1:
        return history
    return replace(
        history,
        bars=scale_bars(history.bars, factor),
        actions=scale_dividends(history.actions, factor),
        last_price=None if history.last_price is None else history.last_price * factor,
    )


@transaction.atomic
def _store(
    run: IngestionRun, history: _CheckedHistory, reasons: Sequence[str], *, now: datetime, started: float
) -> str:
    """Store the history and finish the run, or return the reason why not; rejected bars are quarantined anyway."""
    instrument = Instrument.objects.select_for_update().get(pk=run.instrument_id)
    source, checked = history.source, history.checked
    bar_store.quarantine(instrument=instrument, rejected=checked.rejected, source=source, seen_at=now)
    run.bars_quarantined += len(checked.rejected)
    problem = history.problem or _refusal_by_doubts(history)
    if problem:
        return f"{source}: {problem}"
    if not checked.good:
        return f"{source}: no valid bars"
    stored: dict[date, Decimal] = dict(bars_for(instrument).values_list("session", "close"))
    replaces, problem = _replacement(instrument, history, stored)
    if problem:
        return f"{source}: {problem}"
    if instrument.source not in ("", source):
        agreeing = reject_disagreeing(checked, stored)
        disagreeing, checked = agreeing.rejected[len(checked.rejected) :], agreeing
        bar_store.quarantine(instrument=instrument, rejected=disagreeing, source=source, seen_at=now)
        run.bars_quarantined += len(disagreeing)
    if replaces:
        bar_store.delete_replaced_history(instrument=instrument, bars=checked.good, source=source)
    written = bar_store.write_bars(instrument=instrument, bars=checked.good, source=source, fetched_at=now)
    bar_store.write_actions(instrument=instrument, actions=history.original.actions, source=source)
    update_source(instrument, source, history.original.basis_date)
    run.status = IngestionRun.Status.DONE
    run.provider = source
    run.bars_new, run.bars_changed, run.bars_unchanged = written.new, written.changed, written.unchanged
    replaced = replaces and bool(instrument.source)
    run.detail = _detail(source, written, reasons=reasons, replaced=replaced)
    run.finished_at = _elapsed_now(now, started)
    run.save()
    return ""


def _refusal_by_doubts(history: _CheckedHistory) -> str:
    """Explain why a doubtful history is not stored; empty if its doubts concern only rejected bars."""
    doubt = next((one for one in history.doubts if one.refuses_all), None)
    if doubt is None:
        return ""
    by_staff = doubt.key in history.decisions.rejected
    return f"{doubt.reason} {'Staff rejected this change' if by_staff else 'Staff must accept or reject this change'}"


def _replacement(instrument: Instrument, history: _CheckedHistory, stored: Mapping[date, Decimal]) -> tuple[bool, str]:
    """Return whether the history replaces the whole stored series, and why it must not (empty if it may).

    It replaces a series of another source, and one of the same source on an older price basis. A history that starts
    after the stored series ends is never appended, because sessions may be missing in between.
    """
    offered = {bar.session: bar.close for bar in history.checked.good}
    ratio = basis_ratio(stored, offered)
    if instrument.source in ("", history.source):
        if stored and ratio is None:
            return False, no_common_session(stored, offered)
        if ratio is None or same_basis(ratio):
            return False, ""
    basis = history.original.basis_date
    splits = split_factor(history.original.actions, after=instrument.basis_date or basis, through=basis)
    expected = ratio if ratio and _accepts_basis(history, ratio) else 1 / splits
    return True, replacement_problem(stored, offered, expected_ratio=expected)


def _accepts_basis(history: _CheckedHistory, ratio: Decimal) -> bool:
    """Return whether staff accepted a change of all prices by this ratio."""
    return any(
        rule == "basis_change" and factor == float(f"{ratio:.2g}") for rule, _, factor in history.decisions.accepted
    )


def update_source(instrument: Instrument, source: str, basis_date: date) -> None:
    """Record the source and the split basis date of the stored series."""
    if (instrument.source, instrument.basis_date) != (source, basis_date):
        Instrument.objects.filter(pk=instrument.pk).update(source=source, basis_date=basis_date)


def change_summary(source: str, written: bar_store.WriteCounts) -> str:
    """Summarise the stored bars in one sentence."""
    if written.new or written.changed:
        return f"{written.new:,} new and {written.changed:,} changed bars from {source}."
    return UNCHANGED


def _detail(source: str, written: bar_store.WriteCounts, *, reasons: Sequence[str], replaced: bool) -> str:
    if replaced:
        summary = f"Replaced the whole series with data from {source}."
    elif reasons and (written.new or written.changed):
        summary = f"Used {source} instead ({written.new:,} new, {written.changed:,} changed)."
    else:
        summary = change_summary(source, written)
    return f"{'; '.join(reasons)}. {summary}" if reasons else summary


def _close_abandoned_runs(instrument: Instrument, now: datetime) -> None:
    """Mark old unfinished runs as failed, because their process died."""
    IngestionRun.objects.filter(
        instrument=instrument, status=IngestionRun.Status.RUNNING, started_at__lt=now - MAX_RUN_TIME
    ).update(status=IngestionRun.Status.FAILED, finished_at=now, detail="Interrupted before completion.")


def _elapsed_now(now: datetime, started: float) -> datetime:
    """Return the current instant of a call that started at `now`."""
    return now + timedelta(seconds=time.perf_counter() - started)
