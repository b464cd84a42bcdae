"""Ingestion: stored bars, quarantine, source switches and rollbacks."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.models import CorporateAction, DailyBar, IngestionRun, Instrument, QuarantinedBar
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.services.ingestion import ingest_all, ingest_instrument
from marketdata.services.instruments import ensure_sample_instruments
from marketdata.tests.factories import FIRST, LAST, NOW, FakeBarProvider, bar, bars_between, rejecting_provider, stock
from marketdata.tests.test_quality import ANY_BAR

pytestmark = pytest.mark.django_db

SESSIONS = 62  # XNYS sessions from 2023-01-03 to 2023-03-31: 20 in January, 19 in February, 23 in March


def ingest(instrument: Instrument, *providers: FakeBarProvider, through: date = LAST) -> IngestionRun:
    run = ingest_instrument(instrument=instrument, through=through, providers=providers, now=NOW)
    instrument.refresh_from_db()
    return run


def stored_closes(instrument: Instrument) -> dict[date, Decimal]:
    return dict(DailyBar.objects.filter(instrument=instrument).values_list("session", "close"))


def counts(run: IngestionRun) -> tuple[int, int, int, int]:
    return run.bars_new, run.bars_changed, run.bars_unchanged, run.bars_quarantined


def test_valid_bars_are_stored_with_source() -> None:
    instrument = stock()
    run = ingest(instrument, FakeBarProvider("first", bars_between()))
    assert (run.status, run.provider, counts(run)) == ("done", "first", (SESSIONS, 0, 0, 0))
    assert (instrument.source, instrument.basis_date) == ("first", LAST)
    last = DailyBar.objects.get(instrument=instrument, session=LAST)
    assert (last.close, last.volume, last.source, last.fetched_at, last.is_final) == (
        Decimal("106.1"),
        1_000,
        "first",
        NOW,
        True,
    )


def test_second_ingestion_changes_nothing() -> None:
    instrument = stock()
    bars = bars_between()
    bars[5] = replace(bars[5], low=Decimal(-1))
    ingest(instrument, FakeBarProvider("first", bars))
    rows = list(DailyBar.objects.order_by("session").values())
    again = ingest_instrument(
        instrument=instrument, through=LAST, providers=[FakeBarProvider("first", bars)], now=NOW + timedelta(hours=1)
    )
    assert counts(again) == (0, 0, SESSIONS - 1, 1)
    assert again.detail == "Nothing changed."
    assert list(DailyBar.objects.order_by("session").values()) == rows
    assert QuarantinedBar.objects.count() == 1


def test_only_changed_bar_is_rewritten() -> None:
    instrument = stock()
    bars = bars_between()
    ingest(instrument, FakeBarProvider("first", bars))
    bars[-1] = replace(bars[-1], volume=5)
    later = NOW + timedelta(hours=1)
    run = ingest_instrument(instrument=instrument, through=LAST, providers=[FakeBarProvider("first", bars)], now=later)
    assert counts(run) == (0, 1, SESSIONS - 1, 0)
    assert list(DailyBar.objects.filter(fetched_at=later).values_list("session", "volume")) == [(LAST, 5)]


def test_extra_decimals_do_not_count_as_change() -> None:
    instrument = stock()
    bars = bars_between(scale="1.00000012345")
    ingest(instrument, FakeBarProvider("first", bars))
    assert counts(ingest(instrument, FakeBarProvider("first", bars))) == (0, 0, SESSIONS, 0)


def test_rejected_bar_is_quarantined_as_received() -> None:
    instrument = stock()
    bars = bars_between()
    bars[5] = replace(bars[5], open=Decimal("NaN"))
    run = ingest(instrument, FakeBarProvider("first", bars))
    assert counts(run) == (SESSIONS - 1, 0, 0, 1)
    refused = QuarantinedBar.objects.get()
    assert (refused.session, refused.source, refused.rule) == (bars[5].session, "first", "missing_value")
    assert refused.bar["open"] == "NaN"
    assert refused.bar["close"] == str(bars[5].close)
    assert bars[5].session not in stored_closes(instrument)


def test_invalid_version_does_not_change_stored_bar() -> None:
    instrument = stock()
    bars = bars_between()
    ingest(instrument, FakeBarProvider("first", bars))
    before = stored_closes(instrument)
    bars[5] = replace(bars[5], high=Decimal(1))
    ingest(instrument, FakeBarProvider("first", bars))
    assert stored_closes(instrument) == before


def test_open_session_is_ignored_and_future_one_rejected() -> None:
    instrument = stock()
    # 21:00 UTC is after the close of the 31st; one hour before, at 15:00 in New York, the session is still open.
    tomorrow = bar(date(2023, 4, 3), 106)
    during = NOW - timedelta(hours=2)
    run = ingest_instrument(
        instrument=instrument,
        through=LAST,
        providers=[FakeBarProvider("first", [*bars_between(), tomorrow])],
        now=during,
    )
    assert max(stored_closes(instrument)) == date(2023, 3, 30)
    assert counts(run) == (SESSIONS - 1, 0, 0, 1)
    assert QuarantinedBar.objects.get().rule == "future_session"


def test_nothing_after_requested_session_is_stored() -> None:
    instrument = stock()
    run = ingest(instrument, FakeBarProvider("first", bars_between()), through=date(2023, 1, 31))
    assert counts(run) == (20, 0, 0, 0)


def test_empty_response_fails_the_run_and_loses_nothing() -> None:
    instrument = stock()
    ingest(instrument, FakeBarProvider("first", bars_between()))
    run = ingest(instrument, FakeBarProvider("first"))
    assert run.status == "failed"
    assert run.detail == "first: no bars. Stored bars are unchanged."
    assert len(stored_closes(instrument)) == SESSIONS


def test_response_without_valid_bars_fails_the_run() -> None:
    instrument = stock()
    bad = [replace(one, low=Decimal(-1)) for one in bars_between()]
    run = ingest(instrument, FakeBarProvider("first", bad))
    assert (run.status, run.bars_quarantined, DailyBar.objects.count()) == ("failed", SESSIONS, 0)
    assert QuarantinedBar.objects.count() == SESSIONS
    assert IngestionRun.objects.get().detail.startswith("first: no valid bars.")


def test_next_source_is_used_when_first_fails() -> None:
    instrument = stock(symbol="ACME")
    down = FakeBarProvider("first", errors={"ACME": ProviderUnavailable("first", "unreachable")})
    run = ingest(instrument, down, FakeBarProvider("second", bars_between()))
    assert (run.status, run.provider) == ("done", "second")
    assert run.detail.startswith("first: unreachable. ")


def test_failed_run_lists_reasons() -> None:
    instrument = stock(symbol="ACME")
    run = ingest(instrument, rejecting_provider("first", "ACME"), rejecting_provider("second", "ACME"))
    assert run.status == "failed"
    assert run.detail == ("first: unknown symbol; second: unknown symbol. Stored bars are unchanged.")
    assert run.finished_at is not None


def test_other_source_replaces_whole_series() -> None:
    instrument = stock()
    ingest(instrument, FakeBarProvider("second", bars_between(date(2022, 12, 30), LAST)))
    CorporateAction.objects.create(
        instrument=instrument, session=FIRST, kind="dividend", value=Decimal(1), source="second"
    )
    # The first source starts one session later and has applied a 2:1 split since.
    split = CorporateActionRecord(date(2023, 5, 1), "split", Decimal(2))
    bars = bars_between(date(2022, 12, 30), LAST, scale="0.5")[1:]
    run = ingest(instrument, FakeBarProvider("first", bars, [split], basis_date=date(2023, 6, 1)))
    assert run.detail == "Replaced the whole series with data from first."
    assert stored_closes(instrument) == {one.session: one.close for one in bars}
    assert set(DailyBar.objects.values_list("source", flat=True)) == {"first"}
    assert list(CorporateAction.objects.values_list("kind", "value", "source")) == [("split", Decimal(2), "first")]
    assert (instrument.source, instrument.basis_date) == ("first", date(2023, 6, 1))


def test_disagreeing_sources_reject_the_bar() -> None:
    instrument = stock()
    ingest(instrument, FakeBarProvider("second", bars_between()))
    bars = bars_between()
    off = Decimal(111)
    bars[5] = replace(bars[5], open=off - 1, high=off + 1, close=off, adjusted_close=off)
    run = ingest(instrument, FakeBarProvider("first", bars))
    assert (run.status, run.bars_quarantined) == ("done", 1)
    refused = QuarantinedBar.objects.get()
    assert (refused.rule, refused.session, refused.source) == ("sources_disagree", bars[5].session, "first")
    assert bars[5].session not in stored_closes(instrument)
    assert len(stored_closes(instrument)) == SESSIONS - 1


@pytest.mark.parametrize(
    ("bars", "words"),
    [
        (bars_between(last=date(2023, 3, 30)), "it ends before 2023-03-31"),
        (bars_between(first=date(2023, 2, 1)), "it has only 42 of 62 stored sessions"),
        (bars_between(scale="0.5"), "its prices are 0.5 times the stored ones, which no split explains"),
        ([*bars_between()[:40], *bars_between(scale="1.1")[40:]], "it agrees with only 40 of 62 stored closes"),
    ],
)
def test_mismatched_series_replaces_nothing(bars: list[BarRecord], words: str) -> None:
    instrument = stock()
    ingest(instrument, FakeBarProvider("second", bars_between()))
    before = stored_closes(instrument)
    run = ingest(instrument, FakeBarProvider("first", bars))
    assert run.status == "failed"
    assert words in run.detail
    assert (stored_closes(instrument), instrument.source) == (before, "second")


def test_split_moves_series_to_new_basis() -> None:
    instrument = stock()
    ingest(instrument, FakeBarProvider("first", bars_between()))
    split = CorporateActionRecord(date(2023, 4, 3), "split", Decimal(4))
    after = FakeBarProvider("first", bars_between(scale="0.25"), [split], basis_date=date(2023, 4, 3))
    assert counts(ingest(instrument, after)) == (0, SESSIONS, 0, 0)
    assert counts(ingest(instrument, after)) == (0, 0, SESSIONS, 0)
    assert CorporateAction.objects.count() == 1


def test_unexplained_basis_change_is_rejected() -> None:
    instrument = stock()
    ingest(instrument, FakeBarProvider("first", bars_between()))
    run = ingest(instrument, FakeBarProvider("first", bars_between(scale="0.01")))
    assert run.status == "failed"
    assert stored_closes(instrument)[LAST] == Decimal("106.1")


def test_failed_write_rolls_back_everything() -> None:
    instrument = stock()
    bars = bars_between()
    bars[5] = replace(bars[5], low=Decimal(-1))
    # A source name longer than its column breaks the last statement of the transaction.
    with pytest.raises(Exception, match="too long"):
        ingest(instrument, FakeBarProvider("x" * 40, bars))
    assert (DailyBar.objects.count(), QuarantinedBar.objects.count()) == (0, 0)


def test_abandoned_run_is_closed_by_the_next() -> None:
    instrument = stock()
    dead = IngestionRun.objects.create(instrument=instrument, started_at=NOW - timedelta(hours=2))
    ingest(instrument, FakeBarProvider("first", bars_between()))
    dead.refresh_from_db()
    assert (dead.status, dead.detail) == ("failed", "Interrupted before completion.")


def test_instruments_switch_source_together() -> None:
    one, two = stock(symbol="ONE"), stock(symbol="TWO")
    late = FakeBarProvider(
        "first",
        bars_between(),
        errors={"TWO": ProviderUnavailable("first", "timed out after 3 s")},
        parallel_calls=2,
    )
    runs = ingest_all(
        through=LAST, now=NOW, instruments=[one, two], providers=[late, FakeBarProvider("second", bars_between())]
    )
    assert [run.provider for run in runs] == ["second", "second"]
    assert "available for 1 of 2 symbols" in runs[0].detail


@pytest.mark.parametrize(
    ("kind", "others"), [(FailureKind.MALFORMED, 1), (FailureKind.PARTIAL, 1), (FailureKind.SLOW, 10)]
)
def test_one_bad_instrument_costs_only_itself(kind: FailureKind, others: int) -> None:
    bad = stock(symbol="BAD")
    provider = FakeBarProvider(
        "first", bars_between(), errors={"BAD": ProviderUnavailable("first", "nonsense", kind)}, parallel_calls=2
    )
    runs = ingest_all(through=LAST, now=NOW, instruments=[bad, *(stock() for _ in range(others))], providers=[provider])
    assert [run.status for run in runs] == ["failed", *["done"] * others]
    assert runs[0].detail == "first: nonsense. Stored bars are unchanged."


def test_own_series_is_updated_alone() -> None:
    one, two = stock(symbol="ONE", source="first"), stock(symbol="TWO", source="first")
    late = FakeBarProvider(
        "first",
        bars_between(),
        errors={"TWO": ProviderUnavailable("first", "timed out after 3 s")},
        parallel_calls=2,
    )
    runs = ingest_all(through=LAST, now=NOW, instruments=[one, two], providers=[late])
    assert [run.status for run in runs] == ["done", "failed"]
    assert sorted(late.requested) == ["ONE", "TWO"]


def test_empty_database_starts_with_sample_stocks() -> None:
    runs = ingest_all(through=LAST, now=NOW, providers=[FakeBarProvider("first", bars_between())])
    assert [run.instrument.symbol for run in runs] == ["AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"]
    assert DailyBar.objects.count() == 6 * SESSIONS


def test_staff_changes_to_sample_stock_are_preserved() -> None:
    ensure_sample_instruments()
    Instrument.objects.filter(symbol="AAPL").update(name="Apple", is_active=False)
    ensure_sample_instruments()
    apple = Instrument.objects.get(symbol="AAPL")
    assert (apple.name, apple.is_active, Instrument.objects.count()) == ("Apple", False, 6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bars=st.lists(ANY_BAR, min_size=1, max_size=8))
def test_database_accepts_every_validated_bar(bars: list[BarRecord]) -> None:
    run = ingest(stock(), FakeBarProvider("first", bars))
    assert run.bars_new + run.bars_quarantined == len(bars) or (run.status, run.bars_new) == ("failed", 0)
    for stored in DailyBar.objects.filter(instrument_id=run.instrument_id):
        assert 0 < stored.low <= min(stored.open, stored.close)
        assert max(stored.open, stored.close) <= stored.high
