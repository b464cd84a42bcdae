"""System checks of the forecasts."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections

from predictions.selectors.ledger_protection import unprotected_tables


def ledger_is_append_only(*, databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Report ledger tables without their append-only triggers; tables that do not exist yet are skipped."""
    complaints: list[CheckMessage] = []
    for alias in databases or ():
        if tables := unprotected_tables(connections[alias]):
            complaints.append(
                Error(
                    f"The ledger can be altered: an append-only trigger is missing or disabled on {', '.join(tables)}.",
                    hint="Restore it as predictions/migrations does, then run manage.py verify_ledger.",
                    id="predictions.E001",
                )
            )
    return complaints
