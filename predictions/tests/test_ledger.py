"""Stored forecasts cannot be changed: the database refuses, for every role."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from predictions.checks import ledger_is_append_only
from predictions.models import Forecast, ForecastInput, LedgerHead, LedgerKey, Outcome, Toolchain, WitnessedHead
from predictions.services.ledger import record_head
from predictions.tests.factories import EVENING, NOW, ORIGIN, abstention, at, forecast, forecasts, model_version, stock
from predictions.tests.scene import record_outcome
from predictions.tests.tampering import TABLES

pytestmark = pytest.mark.django_db

MODELS = (Forecast, ForecastInput, LedgerHead, LedgerKey, Outcome, Toolchain, WitnessedHead)


@pytest.fixture
def rows() -> list[Forecast]:
    """Five forecasts, and at least one row in every other table of the ledger."""
    model_version()
    stored_rows = [*forecasts([stock("AAPL"), stock("NVDA")], horizons=(1, 5)), abstention(stock("META"))]
    ForecastInput.objects.create(
        instrument=stored_rows[0].instrument, origin=ORIGIN, feature_set="hc1", sha256="0", rows=1, columns=1, block=b""
    )
    Toolchain.objects.create(versions="numpy 2.4.6")
    record_outcome(stored_rows[0], right=True)
    record_head(clock=at(NOW))
    WitnessedHead.objects.create(day=ORIGIN, count=1, received_at=NOW)
    return stored_rows


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET id = id + 1000", "DELETE FROM {table}"])
def test_the_database_refuses_changes(rows: list[Forecast], statement: str, table: str) -> None:
    before = [list(model.objects.order_by("pk").values_list()) for model in MODELS]
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table=table))
    assert [list(model.objects.order_by("pk").values_list()) for model in MODELS] == before
    assert all(before)


def test_the_database_refuses_changes_to_an_ordinary_role_with_all_rights(rows: list[Forecast]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE hindcast_application")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO hindcast_application")
        cursor.execute("SET LOCAL ROLE hindcast_application")
        with pytest.raises(IntegrityError, match="UPDATE on predictions_forecast is refused"), transaction.atomic():
            cursor.execute("UPDATE predictions_forecast SET signal = 'BUY'")
        cursor.execute("RESET ROLE")
    assert not Forecast.objects.filter(signal="BUY").exists()


def test_the_database_refuses_to_be_emptied(rows: list[Forecast]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in TABLES:
        with pytest.raises(DatabaseError, match="TRUNCATE on"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")
    assert len(TABLES) == len(MODELS)
    assert Forecast.objects.count() == len(rows)


def test_a_day_has_one_head_with_the_end_of_the_chain(rows: list[Forecast]) -> None:
    first = LedgerHead.objects.get()
    assert (first.day, first.count, first.last_forecast, first.head_hash) == (
        NOW.date(), 5, rows[-1], rows[-1].entry_hash,
    )  # fmt: skip
    more = forecasts([stock("AMZN")], horizons=(1, 5), kind="late")
    assert record_head(clock=at(NOW + timedelta(minutes=5))) == (first, False)
    assert record_head(clock=at(NOW - timedelta(days=1))) == (first, False)
    second, created = record_head(clock=at(datetime(2023, 9, 22, 0, 0, tzinfo=UTC)))
    assert second is not None
    assert created
    assert (second.day.isoformat(), second.count, second.last_forecast_id) == ("2023-09-22", 7, more[-1].pk)
    assert (second.head_hash, second.previous_hash) == (more[-1].entry_hash, first.entry_hash)


def test_an_empty_chain_has_no_head() -> None:
    assert record_head(clock=at(NOW)) == (None, False)


def test_a_day_s_head_is_that_of_utc() -> None:
    model_version()
    forecast(stock())
    # Half past eight on the evening of the 21st in New York is the 22nd in UTC.
    late, _ = record_head(clock=at(datetime.fromisoformat("2023-09-21T20:30:00-04:00")))
    assert late is not None
    assert late.day.isoformat() == "2023-09-22"


def test_a_forecast_is_published_once() -> None:
    model_version()
    apple = stock()
    forecast(apple)
    second = model_version("v2", stage="retired")
    with pytest.raises(IntegrityError, match="forecast_first_published_once"), transaction.atomic():
        forecast(apple, kind="late", model_version=second)
    forecast(apple, kind="republished", model_version=second)
    with pytest.raises(IntegrityError, match="forecast_published_once"), transaction.atomic():
        forecast(apple, kind="republished", model_version=second)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"target": ORIGIN, "live_until": EVENING}, "forecast_target_after_origin"),
        ({"fit": ""}, "forecast_fit_known"),
        ({"lower_80": "103"}, "forecast_intervals_nested"),
        ({"lower_99": "96"}, "forecast_intervals_nested"),
        ({"upper_95": "104"}, "forecast_intervals_nested"),
        ({"lower_99": "0"}, "forecast_issued_or_abstained"),
        ({"probability_up": None}, "forecast_issued_or_abstained"),
        ({"upper_95": None}, "forecast_issued_or_abstained"),
        ({"predicted_price": None}, "forecast_issued_or_abstained"),
        ({"status": "abstained"}, "forecast_issued_or_abstained"),
    ],
)
def test_the_database_refuses_impossible_forecasts(fields: dict[str, str], constraint: str) -> None:
    model_version()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        forecast(stock(), **fields)


@pytest.mark.parametrize("trigger", ["append_only_rows", "append_only_table"])
@pytest.mark.parametrize("table", TABLES)
def test_the_check_misses_a_trigger_that_is_switched_off(table: str, trigger: str) -> None:
    assert ledger_is_append_only(databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    (complaint,) = ledger_is_append_only(databases=["default"])
    assert (complaint.id, complaint.msg.endswith(f" on {table}.")) == ("predictions.E001", True)
    assert ledger_is_append_only() == []


@pytest.mark.parametrize(
    ("table", "trigger"),
    [("predictions_forecast", "appended_in_order"), ("predictions_ledgerhead", "head_in_order")],
)
def test_the_check_misses_a_trigger_that_keeps_the_order(table: str, trigger: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {trigger} ON {table}")
    (complaint,) = ledger_is_append_only(databases=["default"])
    assert complaint.msg.endswith(f" on {table}.")
