"""Configuration of every test: no Hypothesis deadlines, and a database that transactional tests can empty."""

import pytest
from django.db import connection
from hypothesis import settings
from pytest_django import DjangoDbBlocker

from predictions.tests.append_only import allow_truncate

# A deadline would make tests fail on a busy machine.
settings.register_profile("hindcast", deadline=None)
settings.load_profile("hindcast")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Allow TRUNCATE of the append-only tables in the test database, never in a real one."""
    if str(connection.settings_dict["NAME"]).startswith("test_"):
        with django_db_blocker.unblock():
            allow_truncate(connection)
