"""What was said cannot be changed, and a change would be seen."""

import hashlib
import zlib
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from predictions.checks import ledger_is_append_only
from predictions.errors import LedgerBroken
from predictions.models import Forecast, ForecastInput
from predictions.services import ledger
from predictions.services.ledger import GENESIS, verify_chain
from predictions.tests.append_only import allow_truncate, refuse_truncate
from predictions.tests.factories import NOW, ORIGIN, abstention, forecast, forecasts, model_version, stock

pytestmark = pytest.mark.django_db

ALTERED_COLUMNS = {
    "predicted_price": "102.01",
    "probability_up": "0.57",
    "upper_99": "116",
    "signal": "'BUY'",
    "reasons": "'{late}'",
    "drivers": "'[]'",
    "recorded_at": "recorded_at - interval '1 microsecond'",
    "kind": "'hindcast'",
    "target": "target + 1",
    "data_source": "'yahoo'",
}


def alter(statement: str) -> None:
    """Change the table as somebody with full rights could: past the trigger."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


@pytest.fixture
def rows() -> list[Forecast]:
    model_version()
    return [*forecasts([stock("AAPL"), stock("NVDA")], horizons=(1, 5)), abstention(stock("META"))]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE predictions_forecast SET signal = 'BUY'",
        "DELETE FROM predictions_forecast",
        "UPDATE predictions_forecastinput SET rows = 9",
        "DELETE FROM predictions_forecastinput",
    ],
)
def test_the_database_refuses_changes(rows: list[Forecast], statement: str) -> None:
    ForecastInput.objects.create(
        instrument=rows[0].instrument, origin=ORIGIN, feature_set="hc1", sha256="0", rows=1, columns=1, block=b""
    )
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert verify_ok() == len(rows)


def verify_ok() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM predictions_forecast WHERE signal <> 'BUY'")
        return int(cursor.fetchone()[0])


def test_the_database_refuses_to_be_emptied(rows: list[Forecast]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    refuse_truncate(connection)
    try:
        for table in ("predictions_forecast", "predictions_forecastinput"):
            with pytest.raises(DatabaseError, match="TRUNCATE on"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {table} CASCADE")
    finally:
        allow_truncate(connection)
    assert Forecast.objects.count() == len(rows)


def test_a_chain_begins_with_genesis_and_links_each_row_to_the_one_before(rows: list[Forecast]) -> None:
    stored = list(Forecast.objects.order_by("pk"))
    assert [row.previous_hash for row in stored] == [GENESIS, *(row.entry_hash for row in stored[:-1])]
    assert verify_chain() == 5


@pytest.mark.parametrize(("column", "value"), ALTERED_COLUMNS.items())
def test_an_altered_row_is_named(rows: list[Forecast], column: str, value: str) -> None:
    alter(f"UPDATE predictions_forecast SET {column} = {value} WHERE id = {rows[1].pk}")
    with pytest.raises(LedgerBroken) as broken:
        verify_chain()
    assert broken.value.forecast_id == rows[1].pk


@pytest.mark.parametrize("part", ["name", "words", "contribution", "direction"])
def test_an_altered_driver_is_named(rows: list[Forecast], part: str) -> None:
    new = "0.5" if part == "contribution" else '"x"'
    altered = f"jsonb_set(drivers, '{{0,{part}}}', '{new}')"
    alter(f"UPDATE predictions_forecast SET drivers = {altered} WHERE id = {rows[1].pk}")
    with pytest.raises(LedgerBroken, match="what it says is not what was sealed") as broken:
        verify_chain()
    assert broken.value.forecast_id == rows[1].pk


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("block = '\\x00'", "the numbers it was computed from are not those that were sealed"),
        (f"block = '\\x{zlib.compress(b'other').hex()}'", "the numbers it was computed from are not those"),
        (f"sha256 = '{'0' * 64}'", "what it says is not what was sealed"),
    ],
)
def test_altered_inputs_are_named(change: str, complaint: str) -> None:
    model_version()
    apple = stock()
    inputs = ForecastInput.objects.create(
        instrument=apple, origin=ORIGIN, feature_set="hc1", sha256=hashlib.sha256(b"numbers").hexdigest(), rows=1,
        columns=1, block=zlib.compress(b"numbers"),
    )  # fmt: skip
    said = forecast(apple, inputs=inputs)
    assert verify_chain() == 1
    alter(f"UPDATE predictions_forecastinput SET {change}")
    with pytest.raises(LedgerBroken, match=complaint) as broken:
        verify_chain()
    assert broken.value.forecast_id == said.pk


def test_a_removed_row_is_named_by_its_successor(rows: list[Forecast]) -> None:
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[1].pk}")
    with pytest.raises(LedgerBroken) as broken:
        verify_chain()
    assert broken.value.forecast_id == rows[2].pk


def test_a_row_sealed_again_breaks_the_one_after_it(rows: list[Forecast]) -> None:
    row = rows[1]
    row.signal = "BUY"
    alter(
        f"UPDATE predictions_forecast SET signal = 'BUY', entry_hash = '{ledger.entry_hash(row)}' WHERE id = {row.pk}"
    )
    with pytest.raises(LedgerBroken) as broken:
        verify_chain()
    assert broken.value.forecast_id == rows[2].pk


def test_every_stored_column_is_covered_by_the_hash() -> None:
    model_version()
    row = forecast(stock())
    covered = ledger.canonical(row)
    own = {field.attname for field in Forecast._meta.concrete_fields} - {"id", "entry_hash", "inputs_id"}
    assert all(f'"{name}":' in covered for name in own)
    assert '"inputs_sha256":null' in covered


def test_the_command_says_how_many_hold_or_names_the_first_that_does_not(rows: list[Forecast]) -> None:
    told = StringIO()
    call_command("verify_ledger", stdout=told)
    assert told.getvalue() == "5 forecasts verified; none was altered.\n"
    alter(f"UPDATE predictions_forecast SET origin = origin - 1 WHERE id = {rows[3].pk}")
    with pytest.raises(CommandError, match=rf"^Forecast {rows[3].pk}: what it says is not what was sealed") as error:
        call_command("verify_ledger", stdout=told)
    assert error.value.returncode == 1


def test_a_forecast_is_said_once() -> None:
    model_version()
    apple = stock()
    forecast(apple)
    with pytest.raises(IntegrityError, match="forecast_said_once"), transaction.atomic():
        forecast(apple, recorded_at=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"target": ORIGIN}, "forecast_target_after_origin"),
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
def test_the_database_refuses_what_no_forecast_may_say(fields: dict[str, str], constraint: str) -> None:
    model_version()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        forecast(stock(), **fields)


def test_the_check_misses_a_trigger_that_is_switched_off() -> None:
    assert ledger_is_append_only(databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE predictions_forecast DISABLE TRIGGER append_only_rows")
    assert [complaint.id for complaint in ledger_is_append_only(databases=["default"])] == ["predictions.E001"]
    assert ledger_is_append_only() == []
