"""What every test of the project needs."""

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from predictions.tests.append_only import allow_truncate


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let transactional tests empty the test database between them, which the ledger refuses everywhere else.

    A run without a database test makes no test database; the connection then still names the real one, which is left
    alone.
    """
    if str(connection.settings_dict["NAME"]).startswith("test_"):
        with django_db_blocker.unblock():
            allow_truncate(connection)
