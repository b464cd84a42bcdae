"""System checks of the forecasts."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections

PROTECTED = ("forecast", "forecastinput", "ledgerhead", "ledgerkey", "outcome", "toolchain")
UNPROTECTED_TABLES = """
SELECT relname FROM pg_class WHERE oid = ANY(SELECT to_regclass('predictions_' || name) FROM unnest(%s::text[]) AS name)
AND 2 > (
    SELECT count(*) FROM pg_trigger
    WHERE tgrelid = pg_class.oid AND tgname IN ('append_only_rows', 'append_only_table') AND tgenabled IN ('O', 'A')
)
ORDER BY relname
"""


def ledger_is_append_only(*, databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Report ledger tables without their append-only triggers; tables that do not exist yet are skipped."""
    complaints: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(UNPROTECTED_TABLES, [list(PROTECTED)])
            tables = [name for (name,) in cursor.fetchall()]
        if tables:
            complaints.append(
                Error(
                    f"The ledger can be altered: an append-only trigger is missing or disabled on {', '.join(tables)}.",
                    hint="Restore it as predictions/migrations does, then run manage.py verify_ledger.",
                    id="predictions.E001",
                )
            )
    return complaints
