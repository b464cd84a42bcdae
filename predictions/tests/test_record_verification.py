"""Verification beyond the hashes: triggers, sums of the record, and prices of outcomes."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from predictions.errors import LedgerBroken
from predictions.models import AccuracyDay, AccuracySnapshot, Forecast, LedgerCheck, ScoringProgress
from predictions.services.accuracy import update_accuracy
from predictions.services.scoring import score_matured
from predictions.services.verification import check_ledger, verify_ledger
from predictions.tests.factories import NOW, ORIGIN, TARGET, bar, forecast, model_version, split, stock
from predictions.tests.tampering import TABLES, fault, scored

pytestmark = pytest.mark.django_db

PERMISSIVE = """
CREATE OR REPLACE FUNCTION predictions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN RAISE EXCEPTION 'refused'; END IF;
    RETURN NEW;
END
$$
"""


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("change", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
@pytest.mark.parametrize("trigger", ["append_only_rows", "append_only_table"])
@pytest.mark.parametrize("table", TABLES)
def test_a_trigger_that_does_not_run_is_named(table: str, trigger: str, change: str) -> None:
    assert verify_ledger().forecasts == 0
    execute(f"ALTER TABLE {table} {change} {trigger}")
    assert str(fault()) == f"Table {table}: its append-only triggers are missing or disabled."


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER append_only_rows ON predictions_forecast",
        "CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON predictions_forecast FOR EACH ROW "
        "WHEN (OLD.id < 0) EXECUTE FUNCTION predictions_refuse_change()",
        "CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON predictions_forecast FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        PERMISSIVE,
    ],
)
def test_a_trigger_that_was_replaced_is_named(statement: str) -> None:
    execute(statement)
    assert fault().subject == "Table predictions_forecast"


@pytest.fixture
def apple_forecast() -> Forecast:
    """A forecast of 102 dollars on the basis of its origin."""
    model_version()
    return forecast(stock())


def check() -> None:
    check_ledger(clock=lambda: NOW)


def test_sums_that_differ_from_the_outcomes_are_found_and_left(apple_forecast: Forecast) -> None:
    scored(apple_forecast)
    update_accuracy(now=NOW, through=TARGET)
    check()
    AccuracyDay.objects.filter(model_version=None).update(hits=0)
    AccuracySnapshot.objects.filter(model_version=None, instrument=None, window_days=0).update(verdict="skill")
    with pytest.raises(LedgerBroken, match="Accuracy sums: 2 rows differ from the outcomes") as broken:
        check()
    assert broken.value.verified == 1
    assert AccuracyDay.objects.get(model_version=None).hits == 0
    assert [bool(stored.fault) for stored in LedgerCheck.objects.all()] == [True, False]


def test_sums_without_outcomes_are_found(apple_forecast: Forecast) -> None:
    scored(apple_forecast)
    check()
    update_accuracy(now=NOW, through=TARGET)
    # The next update would add every outcome a second time.
    ScoringProgress.objects.update(outcomes_counted=0)
    with pytest.raises(LedgerBroken, match="Accuracy sums"):
        check()


def test_outcomes_that_are_not_counted_yet_are_no_fault(apple_forecast: Forecast) -> None:
    scored(apple_forecast)
    check()
    assert not AccuracyDay.objects.exists()


def test_an_outcome_agrees_with_the_stored_close(apple_forecast: Forecast) -> None:
    scored(apple_forecast)
    stored = bar(apple_forecast.instrument, TARGET, "102")
    assert verify_ledger().forecasts == 1
    # Half a tick is where scoring would add a correction.
    stored.__class__.objects.update(close=Decimal("102.004999"), high=Decimal(103))
    assert verify_ledger().forecasts == 1
    stored.__class__.objects.update(close=Decimal("102.005"))
    assert fault().reason == "its price 102 is not the stored close 102.005"


def test_a_bar_that_scoring_has_not_seen_yet_is_no_fault(apple_forecast: Forecast) -> None:
    scored(apple_forecast)
    score_matured(now=NOW, through=TARGET)
    bar(apple_forecast.instrument, TARGET, "103", fetched_at=NOW + timedelta(seconds=1))
    assert verify_ledger().forecasts == 1
    ScoringProgress.objects.update(bars_seen_at=NOW + timedelta(seconds=1))
    assert "stored close 103" in fault().reason


def test_the_newest_revision_counts(apple_forecast: Forecast) -> None:
    scored(apple_forecast)
    bar(apple_forecast.instrument, TARGET, "103", fetched_at=NOW + timedelta(days=1))
    score_matured(now=NOW + timedelta(days=1), through=TARGET)
    assert verify_ledger().forecasts == 1


@pytest.mark.parametrize(
    ("close", "complaint"),
    [("25.5", ""), ("102", "its price 102 is not the stored close 408"), ("25.49", "its price 102 is not the stored")],
)
def test_a_split_after_the_forecast_is_considered(apple_forecast: Forecast, close: str, complaint: str) -> None:
    """After four for one, a stored close of 25.50 corresponds to the forecast's 102."""
    apple = apple_forecast.instrument
    scored(apple_forecast)
    split(apple, date(2023, 9, 25), "4")
    apple.basis_date = date(2023, 9, 25)
    apple.save()
    bar(apple, TARGET, close)
    if complaint:
        assert fault().reason.startswith(complaint)
    else:
        assert verify_ledger().forecasts == 1
    assert apple_forecast.basis_date == ORIGIN
