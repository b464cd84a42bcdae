"""A change behind the application's back is found, and what was changed is named."""

import hashlib
import json
import zlib
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketdata.models import Instrument
from predictions import tasks
from predictions.errors import LedgerBroken
from predictions.models import Forecast, ForecastInput, LedgerCheck, Outcome, Toolchain
from predictions.services import ledger
from predictions.services.ledger import record_head
from predictions.services.scoring import outcome_of
from predictions.services.verification import KeptHead, verify_ledger
from predictions.tests.factories import NOW, ORIGIN, abstention, forecast, forecasts, model_version, stock
from predictions.tests.tampering import alter

pytestmark = pytest.mark.django_db

ALTERED = "what it says is not what was sealed"
MOVED = "the row before it is missing or was put elsewhere"
NUMBERS = b"a float."
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
    "symbol": "'MSFT'",
    "tick": "0.05",
    "fit": "'holdout'",
    "inputs_id": "(SELECT min(id) FROM predictions_forecastinput)",
    "toolchain_id": "NULL",
    "horizon_sessions": "10",
}


@pytest.fixture
def rows() -> list[Forecast]:
    """Five forecasts, the last one an abstention, and an input block that none of them has."""
    model_version()
    stored_input(stock("AMZN"), NUMBERS)
    tools = Toolchain.objects.create(versions="numpy 2.4.6")
    said = forecasts([stock("AAPL"), stock("NVDA")], horizons=(1, 5), toolchain=tools)
    return [*said, abstention(stock("META"))]


def stored_input(instrument: Instrument, numbers: bytes) -> ForecastInput:
    """An input block that holds its numbers."""
    return ForecastInput.objects.create(
        instrument=instrument, origin=ORIGIN, feature_set="hc1", sha256=hashlib.sha256(numbers).hexdigest(), rows=1,
        columns=len(numbers) // 8, block=zlib.compress(numbers),
    )  # fmt: skip


def scored(forecast: Forecast, *, revision: int = 0) -> Outcome:
    """The stored outcome of a forecast whose price came true to the cent."""
    assert forecast.predicted_price is not None
    outcome = outcome_of(forecast, forecast.predicted_price, revision=revision, now=NOW)
    outcome.save()
    return outcome


def fault() -> LedgerBroken:
    """What verifying complains of."""
    with pytest.raises(LedgerBroken) as broken:
        verify_ledger()
    return broken.value


def test_it_can_be_verified_while_queries_are_noted(rows: list[Forecast]) -> None:
    with CaptureQueriesContext(connection) as noted:
        assert verify_ledger().inputs == ForecastInput.objects.count() > 0
    assert any("predictions_forecastinput" in query["sql"] for query in noted.captured_queries)


def test_what_nobody_touched_holds(rows: list[Forecast]) -> None:
    head, _ = record_head(now=NOW)
    scored(rows[0])
    verified = verify_ledger()
    assert (verified.forecasts, verified.heads, verified.inputs) == (5, 1, 1)
    assert head is not None
    assert verified.head_hash == head.head_hash == rows[-1].entry_hash


@pytest.mark.parametrize(("column", "value"), ALTERED_COLUMNS.items())
def test_an_altered_row_is_named(rows: list[Forecast], column: str, value: str) -> None:
    alter(f"UPDATE predictions_forecast SET {column} = {value} WHERE id = {rows[1].pk}")
    broken = fault()
    assert (broken.forecast_id, broken.reason, broken.verified) == (rows[1].pk, ALTERED, 1)


def test_the_first_altered_row_is_named_with_what_it_was_about(rows: list[Forecast]) -> None:
    alter(f"UPDATE predictions_forecast SET predicted_price = 104 WHERE id IN ({rows[2].pk}, {rows[3].pk})")
    assert str(fault()) == f"Forecast {rows[2].pk} (NVDA, from 2023-09-14, 1 sessions ahead): {ALTERED}."


@pytest.mark.parametrize("part", ["name", "words", "contribution", "direction"])
def test_an_altered_driver_is_named(rows: list[Forecast], part: str) -> None:
    new = "0.0312341" if part == "contribution" else '"x"'
    altered = f"jsonb_set(drivers, '{{0,{part}}}', '{new}')"
    alter(f"UPDATE predictions_forecast SET drivers = {altered} WHERE id = {rows[1].pk}")
    assert (fault().forecast_id, fault().reason) == (rows[1].pk, ALTERED)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mlops_modelversion SET artifact_sha256 = repeat('1', 64)",
        "UPDATE predictions_toolchain SET versions = 'numpy 1.0.0'",
    ],
)
def test_another_model_or_toolchain_behind_the_key_is_named(rows: list[Forecast], statement: str) -> None:
    alter(statement)
    assert (fault().forecast_id, fault().reason) == (rows[0].pk, ALTERED)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("block = '\\x00'", "the numbers it was computed from are not those that were sealed"),
        (
            f"block = '\\x{zlib.compress(b'other').hex()}'",
            "the numbers it was computed from are not those that were sealed",
        ),
        (f"sha256 = '{'0' * 64}'", ALTERED),
        ("rows = 2", "the numbers it was computed from are not those that were sealed"),
        ("columns = 1", "the numbers it was computed from are not those that were sealed"),
        ("origin = origin - 1", "the numbers it was computed from are said to be of another stock or session"),
        ("instrument_id = 0", "the numbers it was computed from are said to be of another stock or session"),
    ],
)
def test_altered_inputs_are_named(change: str, complaint: str) -> None:
    model_version()
    apple = stock()
    inputs = [stored_input(apple, numbers) for numbers in (NUMBERS, b"two more floats.")]
    forecast(apple, inputs=inputs[0])
    said = forecast(apple, inputs=inputs[1], horizon_sessions=10)
    assert verify_ledger().inputs == 2
    alter(f"UPDATE predictions_forecastinput SET {change} WHERE id = {inputs[1].pk}")
    assert (fault().forecast_id, fault().reason) == (said.pk, complaint)
    alter("UPDATE predictions_forecastinput SET instrument_id = (SELECT min(id) FROM marketdata_instrument)")


def test_a_block_that_no_forecast_uses_is_verified_too() -> None:
    block = stored_input(stock(), NUMBERS)
    alter("UPDATE predictions_forecastinput SET block = ''")
    assert str(fault()) == f"Input block {block.pk}: its numbers are not those of its hash."


def test_a_removed_row_is_named_by_its_successor(rows: list[Forecast]) -> None:
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[1].pk}")
    assert (fault().forecast_id, fault().reason) == (rows[2].pk, MOVED)


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
        cursor.execute(f"INSERT INTO {table} SELECT * FROM slipped")
    assert str(fault()) == f"{name} {key}: its key stands before the first one that was given."


def test_two_rows_that_changed_places_are_named(rows: list[Forecast]) -> None:
    first, second = rows[1].pk, rows[2].pk
    alter(
        f"UPDATE predictions_forecast SET id = CASE id WHEN {first} THEN -{second} ELSE -{first} END "
        f"WHERE id IN ({first}, {second})"
    )
    alter("UPDATE predictions_forecast SET id = -id WHERE id < 0")
    assert (fault().forecast_id, fault().reason) == (first, MOVED)


def test_a_row_with_another_key_is_named(rows: list[Forecast]) -> None:
    alter(f"UPDATE predictions_forecast SET id = id + 1000 WHERE id = {rows[-1].pk}")
    assert (fault().forecast_id, fault().reason) == (rows[-1].pk + 1000, ALTERED)


def test_a_row_sealed_again_breaks_the_one_after_it(rows: list[Forecast]) -> None:
    row = rows[1]
    row.signal = "BUY"
    alter(
        f"UPDATE predictions_forecast SET signal = 'BUY', entry_hash = '{ledger.entry_hash(row)}' WHERE id = {row.pk}"
    )
    assert (fault().forecast_id, fault().reason) == (rows[2].pk, MOVED)


def test_newest_rows_that_were_cut_off_are_missed(rows: list[Forecast]) -> None:
    record_head(now=NOW)
    alter(f"DELETE FROM predictions_forecast WHERE id >= {rows[3].pk}")
    assert str(fault()) == (
        "Head of 2023-09-21: it counts 5 forecasts, and only 3 are stored: the newest ones are missing."
    )
    assert fault().forecast_id == rows[4].pk
    alter("DELETE FROM predictions_ledgerhead")


def test_a_whole_chain_that_was_forged_meets_the_head_that_somebody_kept(rows: list[Forecast], tmp_path: Path) -> None:
    head, _ = record_head(now=NOW)
    assert head is not None
    kept = tmp_path / "head.json"
    kept.write_text(json.dumps({"count": 5, "head_hash": head.head_hash}))
    call_command("verify_ledger", head=kept, stdout=StringIO())
    alter("DELETE FROM predictions_ledgerhead")
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[-1].pk}")
    forged = abstention(rows[-1].instrument, reasons=["forged"])
    assert forged.entry_hash != head.head_hash
    assert verify_ledger().forecasts == 5
    with pytest.raises(CommandError, match="The head that was kept: after 5 forecasts the chain has another hash"):
        call_command("verify_ledger", head=kept, stdout=StringIO())
    with pytest.raises(LedgerBroken, match="counts 6 forecasts, and only 5 are stored"):
        verify_ledger(kept=KeptHead(6, head.head_hash))


def test_outcomes_and_heads_that_were_forged_together_meet_the_head_that_somebody_kept(
    rows: list[Forecast], client: Client, tmp_path: Path
) -> None:
    scored(rows[0])
    record_head(now=NOW)
    kept = tmp_path / "head.json"
    kept.write_bytes(client.get("/api/v1/ledger/head").content)
    call_command("verify_ledger", head=kept, stdout=StringIO())
    # A better price than the one that came, whose consequences are in order, and the head taken anew over it.
    alter("UPDATE predictions_outcome SET actual_price = 101, error = 1")
    alter("DELETE FROM predictions_ledgerhead")
    record_head(now=NOW)
    assert verify_ledger().heads == 1
    complaint = r"^The head that was kept: the head of 2023-09-21 that it names is not the one that is stored\.$"
    with pytest.raises(CommandError, match=complaint):
        call_command("verify_ledger", head=kept, stdout=StringIO())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("count = 4", ALTERED),
        ("day = day - 1", ALTERED),
        ("recorded_at = recorded_at + interval '1 second'", ALTERED),
        ("head_hash = repeat('0', 64)", ALTERED),
        ("last_forecast_id = last_forecast_id - 1", ALTERED),
        ("outcomes = outcomes + 1", ALTERED),
        ("outcomes_hash = repeat('1', 64)", ALTERED),
        ("entry_hash = repeat('0', 64)", ALTERED),
        ("previous_hash = repeat('1', 64)", "the head before it is missing or was put elsewhere"),
    ],
)
def test_an_altered_head_is_named(rows: list[Forecast], change: str, complaint: str) -> None:
    record_head(now=NOW)
    alter(f"UPDATE predictions_ledgerhead SET {change}")
    assert fault().subject.startswith("Head of 2023-09-2")
    assert fault().reason == complaint


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE predictions_outcome SET volatility_rose = true WHERE revision = 1",
        "UPDATE predictions_outcome SET call_right = true WHERE revision = 0",
        "UPDATE predictions_outcome SET actual_price = 101, error = 1 WHERE revision = 1",
        "DELETE FROM predictions_outcome WHERE revision = 1",
        "DELETE FROM predictions_outcome WHERE revision = 0",
    ],
)
def test_outcomes_that_a_head_knew_cannot_change(rows: list[Forecast], change: str) -> None:
    record_head(now=NOW)
    scored(rows[0])
    scored(rows[0], revision=1)
    head, _ = record_head(now=datetime(2023, 9, 22, 1, tzinfo=UTC))
    assert head is not None
    assert (head.outcomes, verify_ledger().heads) == (2, 2)
    scored(rows[1])
    assert verify_ledger().forecasts == 5
    alter(change)
    assert str(fault()) == "Head of 2023-09-22: the 2 outcomes it knew are not the first ones that are stored."


def test_a_removed_head_is_named_by_its_successor(rows: list[Forecast]) -> None:
    record_head(now=NOW)
    record_head(now=datetime(2023, 9, 22, 1, tzinfo=UTC))
    alter("DELETE FROM predictions_ledgerhead WHERE day = '2023-09-21'")
    assert str(fault()) == "Head of 2023-09-22: the head before it is missing or was put elsewhere."


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("count = 4", "after 4 forecasts the chain has another hash"),
        ("head_hash = repeat('0', 64)", "after 5 forecasts the chain has another hash"),
        ("last_forecast_id = last_forecast_id - 1", "its last forecast is not number 5"),
    ],
)
def test_a_head_that_was_sealed_again_does_not_fit_the_chain(rows: list[Forecast], change: str, complaint: str) -> None:
    head, _ = record_head(now=NOW)
    assert head is not None
    alter(f"UPDATE predictions_ledgerhead SET {change}")
    head.refresh_from_db()
    alter(f"UPDATE predictions_ledgerhead SET entry_hash = '{ledger.head_hash_of(head)}'")
    assert (fault().subject, fault().reason) == ("Head of 2023-09-21", complaint)


@pytest.mark.parametrize(
    "change",
    ["actual_price = 107", "error = 1", "direction_right = false", "inside_80 = false", "went_up = false",
     "forecast_id = 999999"],
)  # fmt: skip
def test_an_altered_outcome_is_named(rows: list[Forecast], change: str) -> None:
    outcome = scored(rows[0])
    assert verify_ledger().forecasts == 5
    alter(f"UPDATE predictions_outcome SET {change}")
    assert fault().subject == f"Outcome {outcome.pk}"
    alter("DELETE FROM predictions_outcome")


def test_the_command_says_how_many_hold_or_names_the_first_that_does_not(rows: list[Forecast]) -> None:
    told = StringIO()
    call_command("verify_ledger", stdout=told)
    assert told.getvalue() == (
        "5 forecasts verified; none was altered. 0 heads and 1 input block hold. "
        f"The chain ends in {rows[-1].entry_hash}.\n"
    )
    alter(f"UPDATE predictions_forecast SET origin = origin - 1 WHERE id = {rows[3].pk}")
    with pytest.raises(CommandError, match=rf"^Forecast {rows[3].pk} \(NVDA, from 2023-09-13.*{ALTERED}") as error:
        call_command("verify_ledger", stdout=told)
    assert error.value.returncode == 1
    assert [(check.forecasts, check.fault) for check in LedgerCheck.objects.all()] == [
        (3, f"Forecast {rows[3].pk} (NVDA, from 2023-09-13, 5 sessions ahead): {ALTERED}."),
        (5, ""),
    ]


def test_the_scheduled_task_notes_what_it_found_and_fails_when_something_is_wrong(rows: list[Forecast]) -> None:
    tasks.verify_ledger()
    alter(f"UPDATE predictions_forecast SET signal = 'BUY' WHERE id = {rows[0].pk}")
    with pytest.raises(LedgerBroken, match=ALTERED):
        tasks.verify_ledger()
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
