"""Columnar import of histories equals row-by-row ingestion."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from marketdata.bar_arrays import bar_arrays
from marketdata.bar_columns import columns_from_records
from marketdata.models import BarBlock, CorporateAction, DailyBar, IngestionRun, Instrument, QuarantinedBar
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.services.bulk_import import SourceColumns, import_columns
from marketdata.services.ingestion import ingest_instrument
from marketdata.tests.factories import LAST, NOW, FakeBarProvider, bars_between, stock

pytestmark = pytest.mark.django_db
SESSIONS = 62


def import_records(
    instrument: Instrument,
    bars: list[BarRecord],
    *,
    source: str = "file",
    basis_date: date = LAST,
    actions: tuple[CorporateActionRecord, ...] = (),
) -> IngestionRun:
    offered = SourceColumns(source, columns_from_records(bars), basis_date, actions)
    run = import_columns(instrument=instrument, offered=offered, now=NOW)
    instrument.refresh_from_db()
    return run


def counts(run: IngestionRun) -> tuple[int, int, int, int]:
    return run.bars_new, run.bars_changed, run.bars_unchanged, run.bars_quarantined


def dirty() -> list[BarRecord]:
    bars = bars_between()
    bars[3] = replace(bars[3], open=Decimal("NaN"))
    bars[9] = replace(bars[9], high=Decimal("1.5"))
    bars[20] = replace(bars[20], **{name: getattr(bars[20], name) * 100 for name in ("open", "high", "low", "close")})
    return [*bars, replace(bars[-1], session=date(2023, 4, 3))]


def test_import_equals_ingestion_of_same_rows() -> None:
    one, two = stock(), stock()
    run = import_records(one, dirty(), source="first")
    other = ingest_instrument(instrument=two, through=LAST, providers=[FakeBarProvider("first", dirty())], now=NOW)
    assert counts(run) == counts(other) == (SESSIONS - 3, 0, 0, 4)
    columns = (
        "session",
        "open",
        "high",
        "low",
        "close",
        "adjusted_close",
        "volume",
        "source",
        "fetched_at",
        "is_final",
    )
    stored = [
        list(DailyBar.objects.filter(instrument=each).order_by("session").values_list(*columns)) for each in (one, two)
    ]
    assert stored[0] == stored[1]
    refused = [set(each.quarantined_bars.values_list("session", "rule", "reason")) for each in (one, two)]
    assert refused[0] == refused[1]
    assert {rule for _, rule, _ in refused[0]} == {"missing_value", "high_below_low", "hundredfold", "partial_bar"}
    two.refresh_from_db()
    assert (one.source, one.basis_date) == (two.source, two.basis_date) == ("first", LAST)


def test_second_import_changes_nothing_and_longer_one_adds() -> None:
    instrument = stock()
    bars = bars_between()
    assert counts(import_records(instrument, bars[:-2])) == (SESSIONS - 2, 0, 0, 0)
    assert counts(import_records(instrument, bars[:-2])) == (0, 0, SESSIONS - 2, 0)
    bars[4] = replace(bars[4], volume=7)
    assert counts(import_records(instrument, bars)) == (2, 1, SESSIONS - 3, 0)
    assert len(bar_arrays([instrument])[instrument.pk]) == BarBlock.objects.get().row_count == SESSIONS


def test_other_source_replaces_only_matching_series() -> None:
    instrument = stock()
    import_records(instrument, bars_between(), source="second")
    refused = import_records(instrument, bars_between(scale="0.5"), source="first")
    assert (refused.status, instrument.source) == ("failed", "second")
    split = CorporateActionRecord(date(2023, 4, 3), "split", Decimal(2))
    taken = import_records(
        instrument, bars_between(scale="0.5"), source="first", basis_date=date(2023, 4, 3), actions=(split,)
    )
    assert (taken.status, instrument.source) == ("done", "first")
    np.testing.assert_allclose(bar_arrays([instrument])[instrument.pk][0, 4], 50)


def test_other_basis_needs_a_split() -> None:
    instrument = stock()
    import_records(instrument, bars_between())
    assert import_records(instrument, bars_between(scale="0.01")).status == "failed"
    assert DailyBar.objects.get(session=LAST).close == Decimal("106.1")


def test_corporate_actions_are_stored_and_checked() -> None:
    instrument = stock()
    split = CorporateActionRecord(bars_between()[30].session, "split", Decimal("1.5"))
    bars = [*bars_between(scale="1.5")[:30], *bars_between()[30:]]
    run = import_records(instrument, bars, actions=(split,))
    assert counts(run) == (32, 0, 0, 30)
    assert set(QuarantinedBar.objects.values_list("rule", flat=True)) == {"unadjusted_split"}
    assert CorporateAction.objects.get().value == Decimal("1.5")


def test_file_without_valid_bars_fails() -> None:
    instrument = stock()
    run = import_records(instrument, [replace(one, low=Decimal(-1)) for one in bars_between()])
    assert (run.status, run.bars_quarantined, DailyBar.objects.count()) == ("failed", SESSIONS, 0)
    assert "no valid bars" in run.detail


@pytest.mark.parametrize(
    ("scale", "rule"), [("100", "hundredfold"), ("0.25", "unadjusted_split"), ("1", "")], ids=["pence", "split", "good"]
)
def test_new_sessions_are_checked_with_stored_ones(scale: str, rule: str) -> None:
    instrument = stock()
    bars = bars_between()
    import_records(instrument, bars[:-5])
    run = import_records(instrument, bars_between(scale=scale)[-5:])
    assert counts(run) == ((0, 0, 0, 5) if rule else (5, 0, 0, 0))
    assert run.status == (IngestionRun.Status.FAILED if rule else IngestionRun.Status.DONE)
    assert set(instrument.quarantined_bars.values_list("session", "rule")) == (
        {(bar.session, rule) for bar in bars[-5:]} if rule else set()
    )
    assert DailyBar.objects.filter(instrument=instrument).count() == (SESSIONS - 5 if rule else SESSIONS)


def test_stored_bars_identify_valid_bar_among_wrong_ones() -> None:
    instrument = stock()
    bars = bars_between()
    import_records(instrument, bars[:-3])
    run = import_records(instrument, [bars[-3], *bars_between(scale=100)[-2:]])
    assert (counts(run), run.status) == ((1, 0, 0, 2), IngestionRun.Status.DONE)
    assert DailyBar.objects.get(instrument=instrument, session=bars[-3].session).close == bars[-3].close
