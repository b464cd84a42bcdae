"""Refuses databases that an earlier version created: migrations start anew, so that none can be upgraded."""

from pathlib import Path

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connection

from config.database.roles import owner_connection

APPLIED = "SELECT app, name FROM django_migrations ORDER BY id"


def refusal() -> str | None:
    """Return in one sentence why this version cannot use the database, or None.

    Django must be set up. An unreachable or empty database is not refused: commands report or fill it.
    """
    folders = {
        app.label: Path(app.path) / "migrations"
        for app in apps.get_app_configs()
        if Path(app.path).parent == Path(settings.BASE_DIR)
    }
    try:
        # Not through Django's connection, whose circuit breaker would hide the reason from the command.
        with owner_connection(), psycopg.connect(**connection.get_connection_params()) as session:
            applied = session.execute(APPLIED).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return (
            "An earlier version created this database (its tables belong to another role); run `make clean` to start "
            "anew."
        )
    except psycopg.Error:
        return None
    for app, name in applied:
        if app in folders and not (folders[app] / f"{name}.py").is_file():
            return (
                f"An earlier version created this database (its migration {app}.{name} no longer exists); "
                "run `make clean` to start anew."
            )
    return None
