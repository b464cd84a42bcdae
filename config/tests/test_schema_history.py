"""A database of an earlier version is refused in one sentence."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from config.database.schema_history import refusal
from config.devserver.paths import ROOT

SENTENCE = (
    "An earlier version created this database (its migration predictions.0010_calls_beside_others no longer exists); "
    "run `make clean` to start anew."
)
RECORD = "INSERT INTO django_migrations (app, name, applied) VALUES ('predictions', '0010_calls_beside_others', now())"


def database_url() -> str:
    """The test database, for another process."""
    parameters = connection.get_connection_params()
    host, port, name = (parameters[key] for key in ("host", "port", "dbname"))
    return f"postgresql://{parameters['user']}:{parameters.get('password', '')}@{host}:{port}/{name}"


@pytest.mark.django_db(transaction=True)
def test_an_earlier_database_is_refused_by_every_command_that_uses_it() -> None:
    assert refusal() is None
    with connection.cursor() as cursor:
        cursor.execute(RECORD)
    try:
        assert refusal() == SENTENCE
        for command in ("migrate", "publish", "verify_ledger"):
            finished = subprocess.run(
                [sys.executable, "manage.py", command],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": database_url()},
                capture_output=True,
                text=True,
                check=False,
            )
            assert (finished.returncode, finished.stdout, finished.stderr) == (1, "", f"{SENTENCE}\n")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '0010_calls_beside_others'")
