"""Configuration of every test: no Hypothesis deadlines, and a database that transactional tests can empty."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from hypothesis import settings
from pytest_django import DjangoDbBlocker

# A deadline would make tests fail on a busy machine.
settings.register_profile("hindcast", deadline=None)
settings.load_profile("hindcast")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let `flush` of the test database pass the triggers that refuse TRUNCATE; nothing else passes them."""
    operations = type(connection.ops)
    execute = operations.execute_sql_flush

    def flush(self: Any, statements: Sequence[str]) -> None:
        is_test = str(self.connection.settings_dict["NAME"]).startswith("test_")
        execute(self, ["SET LOCAL session_replication_role = replica", *statements] if is_test else statements)

    # On the class, because threads and tests replace the connection.
    operations.execute_sql_flush = flush  # type: ignore[method-assign]  # only tests empty the ledger
