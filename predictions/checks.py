"""System checks of the forecasts."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections

PROTECTED = "predictions_forecast"
UNPROTECTED_TABLE = """
SELECT NOT EXISTS (
    SELECT FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgname = 'append_only_rows' AND tgenabled = 'O'
) FROM (SELECT to_regclass(%s) AS found) t WHERE found IS NOT NULL
"""


def ledger_is_append_only(*, databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """The database refuses changes to what was said; before the table exists there is nothing to refuse."""
    complaints: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(UNPROTECTED_TABLE, [PROTECTED, PROTECTED])
            row = cursor.fetchone()
        if row is not None and row[0]:
            complaints.append(
                Error(
                    "Forecasts can be altered: the trigger that refuses it is missing or switched off.",
                    hint="Restore it as predictions/migrations/0002_append_only.py does, then run verify_ledger.",
                    id="predictions.E001",
                )
            )
    return complaints
