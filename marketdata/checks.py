"""System checks that need the database: age of the newest bar."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

from marketdata.models import DailyBar
from marketdata.selectors import newest_session, prices_are_stale


@register(Tags.database)
def check_newest_bar(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """marketdata.W001: the newest bar is out of date, so forecasts are marked stale."""
    if "default" not in (databases or ()) or not _table_exists() or not prices_are_stale():
        return []
    newest = newest_session()
    return [
        Warning(
            "No bar is stored yet." if newest is None else f"The newest bar is from {newest}, which is out of date.",
            hint="Run `manage.py ingest`. If that changes nothing, check the ingestion runs in the admin.",
            id="marketdata.W001",
        )
    ]


def _table_exists() -> bool:
    return DailyBar._meta.db_table in connections["default"].introspection.table_names()
