"""System checks of the artifact folder and the champion."""

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from mlops.artifacts import default_root
from mlops.errors import NoChampion
from mlops.models import ModelVersion
from mlops.selectors import champion


@register()
def artifact_folder_is_writable(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """mlops.E001: the artifact folder is not writable."""
    root = default_root()
    nearest = next(path for path in (root, *root.resolve().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The artifact folder {root} is not writable.",
            hint="Set HINDCAST_ARTIFACTS_DIR to a writable folder, or change the owner of this one.",
            id="mlops.E001",
        )
    ]


@register(Tags.database)
def champion_exists(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """mlops.W001: no model has been trained, so no forecasts can be published."""
    if "default" not in (databases or ()) or not _table_exists():
        return []
    try:
        champion()
    except NoChampion:
        return [
            Warning(
                "No model has been trained yet.",
                hint="Run `manage.py ingest`, then `manage.py train`.",
                id="mlops.W001",
            )
        ]
    return []


def _table_exists() -> bool:
    return ModelVersion._meta.db_table in connections["default"].introspection.table_names()
