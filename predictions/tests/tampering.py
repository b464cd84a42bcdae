"""Alterations of the ledger past its triggers, as the owner of the database could make them, and what finds them."""

import hashlib
import zlib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from marketdata.models import Instrument
from predictions.errors import LedgerBroken
from predictions.ledger_payload import GENESIS, chain_hash
from predictions.models import Forecast, ForecastInput, Outcome
from predictions.models.ledger_mappings import FORECAST_MAPPING, OUTCOME_MAPPING
from predictions.services.ledger import seal_outcomes
from predictions.services.scoring import build_outcome
from predictions.services.verification import verify_ledger
from predictions.tests.factories import NOW, ORIGIN

MIGRATION = import_module("predictions.migrations.0001_initial")
TABLES = MIGRATION.APPEND_ONLY_TABLES


def alter(statement: str, values: Sequence[Any] | None = None) -> None:
    """Run one statement past triggers and foreign keys."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def rechain() -> None:
    """Compute every payload and hash again, so that the chain fits its altered columns."""
    previous = GENESIS
    for row in Forecast.objects.select_related("model_version", "inputs", "toolchain").order_by("pk"):
        payload = FORECAST_MAPPING.payload(row)
        entry_hash = chain_hash(previous, payload)
        values = [payload, previous, entry_hash, row.pk]
        alter("UPDATE predictions_forecast SET payload = %s, previous_hash = %s, entry_hash = %s WHERE id = %s", values)
        previous = entry_hash


def stored_input(instrument: Instrument, numbers: bytes) -> ForecastInput:
    """An input block that holds its numbers."""
    return ForecastInput.objects.create(
        instrument=instrument, origin=ORIGIN, feature_set="hc1", sha256=hashlib.sha256(numbers).hexdigest(), rows=1,
        columns=len(numbers) // 8, block=zlib.compress(numbers),
    )  # fmt: skip


def scored(forecast: Forecast, *, revision: int = 0) -> Outcome:
    """The stored outcome of a forecast whose price was exact."""
    assert forecast.predicted_price is not None
    outcome = build_outcome(forecast, forecast.predicted_price, revision=revision, now=NOW)
    seal_outcomes([outcome])
    outcome.save(force_insert=True)
    return outcome


def forge(outcome: Outcome, *, previous: int | None = None, **changes: Any) -> None:
    """Alter columns of a stored outcome together with its payload."""
    key = outcome.pk if previous is None else previous
    for name, value in changes.items():
        setattr(outcome, name, value)
    columns = {field.attname: getattr(outcome, field.attname) for field in Outcome._meta.concrete_fields}
    columns["payload"] = OUTCOME_MAPPING.payload(outcome)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        assignments = ", ".join(f"{name} = %s" for name in columns)
        cursor.execute(f"UPDATE predictions_outcome SET {assignments} WHERE id = %s", [*columns.values(), key])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def fault() -> LedgerBroken:
    """The first fault that verification finds."""
    with pytest.raises(LedgerBroken) as broken:
        verify_ledger()
    return broken.value
