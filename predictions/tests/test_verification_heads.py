"""Alterations of heads and outcomes are found and named."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from predictions.ledger_payload import chain_hash
from predictions.models import Forecast, Outcome
from predictions.services import ledger
from predictions.services.ledger import record_head
from predictions.services.ledger_signatures import sign_head, signing_key
from predictions.services.verification import ALTERED_PAYLOAD, BROKEN_HEAD_LINK, UNKNOWN_SCHEMA, verify_ledger
from predictions.tests.factories import NOW, at
from predictions.tests.tampering import alter, fault, forge, scored

pytestmark = pytest.mark.django_db

OTHER_OUTCOMES = "Head of 2023-09-22: the 2 outcomes it covers are not the first ones that are stored."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("count = 4", "columns differ from its payload: count"),
        ("day = day - 1", "columns differ from its payload: day"),
        ("recorded_at = recorded_at + interval '1 second'", "columns differ from its payload: recorded_at"),
        ("head_hash = repeat('0', 64)", "columns differ from its payload: head_hash"),
        ("last_forecast_id = last_forecast_id - 1", "columns differ from its payload: last_forecast_id"),
        ("outcomes = outcomes + 1", "columns differ from its payload: outcomes"),
        ("last_outcome = last_outcome + 1", "columns differ from its payload: last_outcome"),
        ("outcomes_hash = repeat('1', 64)", "columns differ from its payload: outcomes_hash"),
        ("payload = '{}'", ALTERED_PAYLOAD),
        ("entry_hash = repeat('0', 64)", ALTERED_PAYLOAD),
        ("previous_hash = repeat('1', 64)", BROKEN_HEAD_LINK),
    ],
)
def test_an_altered_head_is_named(rows: list[Forecast], change: str, reason: str) -> None:
    record_head(clock=at(NOW))
    alter(f"UPDATE predictions_ledgerhead SET {change}")
    assert fault().subject.startswith("Head of 2023-09-2")
    assert fault().reason == reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [('{"_schema":9}', UNKNOWN_SCHEMA), ("{", UNKNOWN_SCHEMA)],
)
def test_a_head_with_an_unreadable_payload_is_named(rows: list[Forecast], payload: str, reason: str) -> None:
    head, _ = record_head(clock=at(NOW))
    assert head is not None
    entry_hash = chain_hash(head.previous_hash, payload)
    alter(f"UPDATE predictions_ledgerhead SET payload = '{payload}', entry_hash = '{entry_hash}'")
    assert (fault().subject, fault().reason) == ("Head of 2023-09-21", reason)


@pytest.fixture
def covered(rows: list[Forecast]) -> list[Outcome]:
    """Two outcomes that the head of 22 September covers, and one that no head covers yet."""
    record_head(clock=at(NOW))
    outcomes = [scored(rows[0]), scored(rows[0], revision=1)]
    head, _ = record_head(clock=at(datetime(2023, 9, 22, 1, tzinfo=UTC)))
    assert head is not None
    assert (head.outcomes, verify_ledger().heads) == (2, 2)
    outcomes.append(scored(rows[1]))
    assert verify_ledger().forecasts == 5
    return outcomes


@pytest.mark.parametrize("place", [0, 1])
def test_a_removed_outcome_is_missed_by_the_head(covered: list[Outcome], place: int) -> None:
    alter(f"DELETE FROM predictions_outcome WHERE id = {covered[place].pk}")
    assert str(fault()) == OTHER_OUTCOMES


@pytest.mark.parametrize(
    "changes", [{"volatility_rose": True}, {"call_right": True}, {"actual_price": Decimal(101), "error": Decimal(1)}]
)
def test_an_outcome_forged_with_its_payload_differs_from_the_head(
    covered: list[Outcome], changes: dict[str, Any]
) -> None:
    forge(covered[1], **changes)
    assert str(fault()) == OTHER_OUTCOMES


def test_swapped_outcomes_differ_from_the_head(covered: list[Outcome]) -> None:
    first, second = covered[0].pk, covered[1].pk
    alter("UPDATE predictions_outcome SET id = -id")
    forge(covered[0], previous=-first, pk=second)
    forge(covered[1], previous=-second, pk=first)
    alter("UPDATE predictions_outcome SET id = -id WHERE id < 0")
    assert str(fault()) == OTHER_OUTCOMES


def test_a_removed_head_is_named_by_its_successor(rows: list[Forecast]) -> None:
    record_head(clock=at(NOW))
    record_head(clock=at(datetime(2023, 9, 22, 1, tzinfo=UTC)))
    alter("DELETE FROM predictions_ledgerhead WHERE day = '2023-09-21'")
    assert str(fault()) == f"Head of 2023-09-22: {BROKEN_HEAD_LINK}."


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("count = 4", "the chain has another hash after 4 forecasts"),
        ("head_hash = repeat('0', 64)", "the chain has another hash after 5 forecasts"),
        ("last_forecast_id = last_forecast_id - 1", "its last forecast is not number 5"),
    ],
)
def test_a_head_that_was_sealed_again_does_not_fit_the_chain(rows: list[Forecast], change: str, complaint: str) -> None:
    head, _ = record_head(clock=at(NOW))
    assert head is not None
    alter(f"UPDATE predictions_ledgerhead SET {change}")
    head.refresh_from_db()
    ledger.seal_head(head)
    sign_head(head, signing_key(now=NOW))
    alter(
        f"UPDATE predictions_ledgerhead SET payload = '{head.payload}', entry_hash = '{head.entry_hash}', "
        f"signature = '{head.signature}'"
    )
    assert (fault().subject, fault().reason) == ("Head of 2023-09-21", complaint)


@pytest.mark.parametrize(
    "changes",
    [
        {"actual_price": Decimal(107)},
        {"error": Decimal(1)},
        {"direction_right": False},
        {"inside_80": False},
        {"inside_95": False},
        {"inside_99": False},
        {"went_up": False},
        {"forecast_id": 999_999},
        {"origin": date(2023, 9, 13)},
    ],
)
def test_an_outcome_that_contradicts_its_forecast_is_named(rows: list[Forecast], changes: dict[str, Any]) -> None:
    outcome = scored(rows[0])
    assert verify_ledger().forecasts == 5
    forge(outcome, **changes)
    assert fault().subject == f"Outcome {outcome.pk}"
    assert "does not follow from forecast" in fault().reason
    alter("DELETE FROM predictions_outcome")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("revision", "3"),
        ("volatility_rose", "true"),
        ("call_right", "true"),
        ("recorded_at", "recorded_at + interval '1 microsecond'"),
        ("id", "id + 1000"),
    ],
)
def test_an_altered_column_of_an_outcome_is_named(rows: list[Forecast], column: str, value: str) -> None:
    outcome = scored(rows[0])
    alter(f"UPDATE predictions_outcome SET {column} = {value}")
    assert fault().subject == f"Outcome {outcome.pk + 1000 * (column == 'id')}"
    assert fault().reason == f"columns differ from its payload: {column}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("{", UNKNOWN_SCHEMA),
        ("[]", UNKNOWN_SCHEMA),
        ('{"_schema":7}', UNKNOWN_SCHEMA),
        ('{"_schema":1,"id":1}', "columns differ from its payload: actual_price"),
    ],
)
def test_an_altered_payload_of_an_outcome_is_named(rows: list[Forecast], payload: str, reason: str) -> None:
    scored(rows[0])
    second = scored(rows[1])
    alter(f"UPDATE predictions_outcome SET payload = '{payload}' WHERE id = {second.pk}")
    assert fault().subject == f"Outcome {second.pk}"
    assert fault().reason.startswith(reason)
