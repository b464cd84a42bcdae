"""Alterations of forecasts and input blocks are found and named."""

import json
import re
import zlib
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions import tasks
from predictions.errors import LedgerBroken
from predictions.ledger_payload import chain_hash
from predictions.models import Forecast, ForecastInput, LedgerCheck, Outcome, Toolchain
from predictions.models.ledger_mappings import FORECAST_MAPPING
from predictions.selectors import ledger as ledger_selectors
from predictions.services.ledger import record_head
from predictions.services.verification import (
    ALTERED_INPUT,
    ALTERED_PAYLOAD,
    BROKEN_LINK,
    DANGLING,
    MISPLACED_INPUT,
    UNKNOWN_SCHEMA,
    SavedHead,
    verify_ledger,
)
from predictions.tests.factories import NOW, abstention, at, forecast, model_version, stock
from predictions.tests.tampering import alter, fault, forge, scored, stored_input

pytestmark = pytest.mark.django_db

NUMBERS = b"a float."
# For each column an alteration that no constraint refuses.
ALTERED_COLUMNS = {
    "id": "id + 1000",
    "instrument_id": "(SELECT min(id) FROM marketdata_instrument WHERE id <> instrument_id)",
    "symbol": "'MSFT'",
    "origin": "origin - 1",
    "horizon_sessions": "10",
    "target": "target + 1",
    "origin_closed_at": "origin_closed_at - interval '1 microsecond'",
    "live_until": "live_until + interval '1 microsecond'",
    "kind": "'hindcast'",
    "status": "'abstained', predicted_price = NULL, probability_up = NULL, signal = ''",
    "reasons": "'{late}'",
    "tick": "0.05",
    "last_price": "100.000000000001",
    "predicted_price": "102.01",
    "probability_up": "0.57",
    "base_rate_up": "0.55",
    "probability_beats_median": "0.5",
    "signal": "'BUY'",
    "signal_meaning": "'lag'",
    "signal_reason": "''",
    "confidence": "NULL",
    "lower_80": "98",
    "upper_80": "106",
    "lower_95": "94",
    "upper_95": "110",
    "lower_99": "89",
    "upper_99": "116",
    "volatility_rises": "0.62",
    "big_move": "0.13",
    "risk_level": "'low'",
    "drivers": "'[]'",
    "model_version_id": "(SELECT max(id) FROM mlops_modelversion)",
    "fit": "'holdout'",
    "toolchain_id": "NULL",
    "data_source": "'yahoo'",
    "basis_date": "NULL",
    "inputs_id": "(SELECT min(id) FROM predictions_forecastinput)",
    "recorded_at": "recorded_at - interval '1 microsecond'",
}
FIELDS_OF_KEYS = {"inputs_id": "inputs_sha256", "toolchain_id": "toolchain"}
PAYLOAD_EDITS = {
    "a value": ("""'"predicted_price":"102"', '"predicted_price":"103"'""", ALTERED_PAYLOAD),
    "its schema": ("""'"_schema":1', '"_schema":2'""", UNKNOWN_SCHEMA),
    "a space": ("""'"_schema":1', '"_schema": 1'""", UNKNOWN_SCHEMA),
    "a missing field": ("""'"risk_level":"normal",', ''""", "columns differ from its payload: risk_level"),
    "broken JSON": ("'}', ''", UNKNOWN_SCHEMA),
    "no number": ("""'"predicted_price":"102"', '"predicted_price":"high"'""", UNKNOWN_SCHEMA),
}


def test_it_can_be_verified_while_queries_are_noted(rows: list[Forecast]) -> None:
    with CaptureQueriesContext(connection) as noted:
        assert verify_ledger().inputs == ForecastInput.objects.count() > 0
    assert any("predictions_forecastinput" in query["sql"] for query in noted.captured_queries)


def test_an_unaltered_ledger_verifies(rows: list[Forecast]) -> None:
    head, _ = record_head(clock=at(NOW))
    scored(rows[0])
    verified = verify_ledger()
    assert (verified.forecasts, verified.heads, verified.inputs) == (5, 1, 1)
    assert head is not None
    assert verified.head_hash == head.head_hash == rows[-1].entry_hash


def test_alterations_of_every_column_are_tested() -> None:
    columns = {field.attname for field in Forecast._meta.concrete_fields}
    assert set(ALTERED_COLUMNS) | {"payload", "previous_hash", "entry_hash"} == columns


@pytest.mark.parametrize(("column", "value"), ALTERED_COLUMNS.items())
def test_an_altered_column_is_named(rows: list[Forecast], column: str, value: str) -> None:
    # The newest issued forecast: after another id it is still the next row of the chain.
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[-1].pk}")
    alter(f"UPDATE predictions_forecast SET {column} = {value} WHERE id = {rows[3].pk}")
    broken = fault()
    altered = re.findall(r"\w+", broken.reason.removeprefix("columns differ from its payload: "))
    assert FIELDS_OF_KEYS.get(column, column) in altered
    assert len(altered) == (4 if column == "status" else 1)
    assert (broken.forecast_id, broken.verified) == (rows[3].pk + 1000 * (column == "id"), 3)


@pytest.mark.parametrize(
    ("column", "reason"),
    [("payload", ALTERED_PAYLOAD), ("entry_hash", ALTERED_PAYLOAD), ("previous_hash", BROKEN_LINK)],
)
def test_an_altered_payload_or_hash_is_named(rows: list[Forecast], column: str, reason: str) -> None:
    alter(f"UPDATE predictions_forecast SET {column} = repeat('1', 64) WHERE id = {rows[1].pk}")
    assert (fault().forecast_id, fault().reason, fault().verified) == (rows[1].pk, reason, 1)


@pytest.mark.parametrize(("edit", "reason"), PAYLOAD_EDITS.values(), ids=PAYLOAD_EDITS)
def test_a_payload_that_was_hashed_again_is_compared_with_its_columns(
    rows: list[Forecast], edit: str, reason: str
) -> None:
    row = rows[3]
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[4].pk}")
    alter(f"UPDATE predictions_forecast SET payload = replace(payload, {edit}) WHERE id = {row.pk}")
    assert fault().reason == ALTERED_PAYLOAD
    row.refresh_from_db()
    entry_hash = chain_hash(row.previous_hash, row.payload)
    alter(f"UPDATE predictions_forecast SET entry_hash = '{entry_hash}' WHERE id = {row.pk}")
    expected = "columns differ from its payload: predicted_price" if reason == ALTERED_PAYLOAD else reason
    assert (fault().forecast_id, fault().reason, fault().verified) == (row.pk, expected, 3)


def test_columns_and_payload_altered_together_break_the_hash(rows: list[Forecast]) -> None:
    row = rows[1]
    row.signal = "BUY"
    payload = FORECAST_MAPPING.payload(row)
    alter(f"UPDATE predictions_forecast SET signal = 'BUY', payload = '{payload}' WHERE id = {row.pk}")
    assert (fault().forecast_id, fault().reason) == (row.pk, ALTERED_PAYLOAD)
    alter(
        f"UPDATE predictions_forecast SET entry_hash = '{chain_hash(row.previous_hash, payload)}' WHERE id = {row.pk}"
    )
    assert (fault().forecast_id, fault().reason) == (rows[2].pk, BROKEN_LINK)


def test_the_first_altered_row_is_named_with_its_facts(rows: list[Forecast]) -> None:
    alter(f"UPDATE predictions_forecast SET predicted_price = 104 WHERE id IN ({rows[2].pk}, {rows[3].pk})")
    assert str(fault()) == (
        f"Forecast {rows[2].pk} (NVDA, from 2023-09-14, 1 trading day ahead): "
        "columns differ from its payload: predicted_price."
    )


@pytest.mark.parametrize("part", ["name", "words", "contribution", "direction"])
def test_an_altered_driver_is_named(rows: list[Forecast], part: str) -> None:
    altered = f"jsonb_set(drivers, '{{0,{part}}}', '\"0.0312341\"')"
    alter(f"UPDATE predictions_forecast SET drivers = {altered} WHERE id = {rows[1].pk}")
    assert (fault().forecast_id, fault().reason) == (rows[1].pk, "columns differ from its payload: drivers")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE mlops_modelversion SET artifact_sha256 = repeat('1', 64)", "model_sha256"),
        ("UPDATE predictions_toolchain SET versions = 'numpy 1.0.0'", "toolchain"),
    ],
)
def test_another_model_or_toolchain_behind_the_key_is_named(rows: list[Forecast], statement: str, reason: str) -> None:
    alter(statement)
    assert (fault().forecast_id, fault().reason) == (rows[0].pk, f"columns differ from its payload: {reason}")


def test_a_reference_to_a_missing_row_is_named(rows: list[Forecast]) -> None:
    alter("DELETE FROM predictions_toolchain")
    assert (fault().forecast_id, fault().reason) == (rows[0].pk, DANGLING)
    Toolchain.objects.create(pk=rows[0].toolchain_id, versions="numpy 2.4.6")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("block = '\\x00'", ALTERED_INPUT),
        (
            f"block = '\\x{zlib.compress(b'other').hex()}'",
            ALTERED_INPUT,
        ),
        (f"sha256 = '{'0' * 64}'", "columns differ from its payload: inputs_sha256"),
        ("rows = 2", ALTERED_INPUT),
        ("columns = 1", ALTERED_INPUT),
        ("origin = origin - 1", MISPLACED_INPUT),
        ("instrument_id = 0", MISPLACED_INPUT),
    ],
)
def test_altered_inputs_are_named(change: str, complaint: str) -> None:
    model_version()
    apple = stock()
    inputs = [stored_input(apple, numbers) for numbers in (NUMBERS, b"two more floats.")]
    forecast(apple, inputs=inputs[0])
    stored_rows = forecast(apple, inputs=inputs[1], horizon_sessions=10)
    assert verify_ledger().inputs == 2
    alter(f"UPDATE predictions_forecastinput SET {change} WHERE id = {inputs[1].pk}")
    assert (fault().forecast_id, fault().reason) == (stored_rows.pk, complaint)
    alter("UPDATE predictions_forecastinput SET instrument_id = (SELECT min(id) FROM marketdata_instrument)")


def test_a_block_that_no_forecast_uses_is_verified_too() -> None:
    block = stored_input(stock(), NUMBERS)
    alter("UPDATE predictions_forecastinput SET block = ''")
    assert str(fault()) == f"Input block {block.pk}: its numbers do not match its hash and shape."


def test_a_removed_row_is_named_by_its_successor(rows: list[Forecast]) -> None:
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[1].pk}")
    assert (fault().forecast_id, fault().reason) == (rows[2].pk, BROKEN_LINK)


@pytest.mark.parametrize(
    ("name", "table", "others"),
    [
        ("Forecast", "predictions_forecast", "entry_hash = repeat('f', 64), origin = origin - 1"),
        ("Input block", "predictions_forecastinput", "origin = origin - 1"),
        ("Outcome", "predictions_outcome", "revision = 1"),
    ],
)
@pytest.mark.parametrize("key", [0, -7])
def test_a_row_slipped_in_before_the_first_is_named(
    rows: list[Forecast], name: str, table: str, others: str, key: int
) -> None:
    scored(rows[0])
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE slipped ON COMMIT DROP AS SELECT * FROM {table} ORDER BY id LIMIT 1")
        cursor.execute(f"UPDATE slipped SET id = {key}, {others}")
    alter(f"INSERT INTO {table} SELECT * FROM slipped")
    assert str(fault()) == f"{name} {key}: its id is below 1."


def test_two_swapped_rows_are_named(rows: list[Forecast]) -> None:
    first, second = rows[1].pk, rows[2].pk
    alter(
        f"UPDATE predictions_forecast SET id = CASE id WHEN {first} THEN -{second} ELSE -{first} END "
        f"WHERE id IN ({first}, {second})"
    )
    alter("UPDATE predictions_forecast SET id = -id WHERE id < 0")
    assert (fault().forecast_id, fault().reason) == (first, BROKEN_LINK)


def test_a_second_row_with_the_same_id_is_named(rows: list[Forecast], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are unique by the sequence only; a copy with another origin is read, also where a query ends between both."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE copied ON COMMIT DROP AS "
            f"SELECT * FROM predictions_forecast WHERE id = {rows[1].pk}"
        )
        cursor.execute("UPDATE copied SET origin = origin + 1")
    alter("INSERT INTO predictions_forecast SELECT * FROM copied")
    for size in (1, 2, 3, 100):
        monkeypatch.setattr(ledger_selectors, "ROWS_PER_QUERY", size)
        assert (fault().forecast_id, fault().reason, fault().verified) == (rows[1].pk, BROKEN_LINK, 2)


def test_removed_newest_rows_are_found_by_the_head(rows: list[Forecast]) -> None:
    record_head(clock=at(NOW))
    alter(f"DELETE FROM predictions_forecast WHERE id >= {rows[3].pk}")
    assert str(fault()) == (
        "Head of 2023-09-21: it counts 5 forecasts, and only 3 are stored: the newest ones are missing."
    )
    assert fault().forecast_id == rows[4].pk
    alter("DELETE FROM predictions_ledgerhead")


def test_a_forged_chain_differs_from_the_saved_head(rows: list[Forecast], tmp_path: Path) -> None:
    head, _ = record_head(clock=at(NOW))
    assert head is not None
    saved = tmp_path / "head.json"
    saved.write_text(json.dumps({"count": 5, "head_hash": head.head_hash}))
    call_command("verify_ledger", head=saved, stdout=StringIO())
    alter("DELETE FROM predictions_ledgerhead")
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[-1].pk}")
    forged = abstention(rows[-1].instrument, reasons=["forged"])
    assert forged.entry_hash != head.head_hash
    assert verify_ledger().forecasts == 5
    with pytest.raises(CommandError, match="The saved head: the chain has another hash after 5 forecasts"):
        call_command("verify_ledger", head=saved, stdout=StringIO())
    with pytest.raises(LedgerBroken, match="counts 6 forecasts, and only 5 are stored"):
        verify_ledger(saved=SavedHead(6, head.head_hash))


def test_outcomes_and_heads_forged_together_differ_from_the_saved_head(
    rows: list[Forecast], client: Client, tmp_path: Path
) -> None:
    scored(rows[0])
    record_head(clock=at(NOW))
    saved = tmp_path / "head.json"
    saved.write_bytes(client.get("/api/v1/ledger/head").content)
    call_command("verify_ledger", head=saved, stdout=StringIO())
    # A better price, whose consequences are in order, and a new head that covers it.
    forge(Outcome.objects.get(), actual_price=Decimal(101), error=Decimal(1))
    alter("DELETE FROM predictions_ledgerhead")
    record_head(clock=at(NOW))
    assert verify_ledger().heads == 1
    complaint = r"^The saved head: the stored head of 2023-09-21 differs from it\.$"
    with pytest.raises(CommandError, match=complaint):
        call_command("verify_ledger", head=saved, stdout=StringIO())


def test_the_command_counts_what_it_verified_or_names_the_first_fault(rows: list[Forecast]) -> None:
    output = StringIO()
    call_command("verify_ledger", stdout=output)
    assert output.getvalue() == (
        f"Verified 5 forecasts, 0 daily heads, 1 input block: all intact. Head: {rows[-1].entry_hash}.\n"
    )
    alter(f"UPDATE predictions_forecast SET origin = origin - 1 WHERE id = {rows[3].pk}")
    complaint = (
        f"Forecast {rows[3].pk} (NVDA, from 2023-09-13, 5 trading days ahead): columns differ from its payload: origin."
    )
    with pytest.raises(CommandError, match=f"^{re.escape(complaint)}$") as error:
        call_command("verify_ledger", stdout=output)
    assert error.value.returncode == 1
    assert [(check.forecasts, check.fault) for check in LedgerCheck.objects.all()] == [(3, complaint), (5, "")]


def test_the_scheduled_task_stores_its_result_and_fails_for_a_fault(rows: list[Forecast]) -> None:
    tasks.verify_ledger_task()
    alter(f"UPDATE predictions_forecast SET signal = 'BUY' WHERE id = {rows[0].pk}")
    with pytest.raises(LedgerBroken, match="columns differ from its payload: signal"):
        tasks.verify_ledger_task()
    assert [bool(check.fault) for check in LedgerCheck.objects.all()] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"count": 1, "head_hash": "' + "0" * 64 + '", "day_head": {"day": 1}}',
        '{"count": 0, "head_hash": "' + "0" * 64 + '"}',
        '{"count": "a"}',
    ],
)
def test_a_file_that_is_no_head_is_refused_in_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=r"head.json is not a head of the ledger.$") as error:
        call_command("verify_ledger", head=path)
    assert error.value.returncode == 2
