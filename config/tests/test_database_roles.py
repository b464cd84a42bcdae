"""The application's database role cannot alter the ledger, whatever statement it sends."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from pytest_django import Settings

from config.database.roles import grant_application_rights
from config.devserver import paths
from config.devserver.embedded_servers import EmbeddedServers
from config.devserver.paths import ROOT
from marketdata.sql import fetch_rows
from predictions.tests.tampering import TABLES

OWNER_URL = "HINDCAST_DATABASE_OWNER_URL"
OF_EACH_TABLE = (
    "UPDATE {table} SET id = id",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
    "ALTER TABLE {table} DISABLE TRIGGER append_only_rows",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} OWNER TO hindcast_app",
    "DROP TRIGGER append_only_rows ON {table}",
    "DROP TABLE {table} CASCADE",
    "CREATE TRIGGER more BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
)
OF_THE_DATABASE = (
    "SET session_replication_role = replica",
    "SET ROLE hindcast_owner",
    "SET ROLE hindcast",
    "ALTER ROLE hindcast_app SUPERUSER",
    "CREATE ROLE another",
    "CREATE TABLE more ()",
    "DROP FUNCTION predictions_refuse_change() CASCADE",
    "CREATE OR REPLACE FUNCTION predictions_refuse_change() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "DELETE FROM django_migrations",
)
RIGHTS = """
SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,
    (SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid AND relpersistence <> 't'),
    (SELECT count(*) FROM pg_proc WHERE proowner = pg_roles.oid),
    (SELECT count(*) FROM pg_auth_members WHERE member = pg_roles.oid)
FROM pg_roles WHERE rolname = current_user
"""


def manage(command: str, *arguments: str, **variables: str) -> str:
    """Output of a management command on the given servers."""
    done = subprocess.run(
        [sys.executable, "manage.py", command, *arguments], cwd=ROOT, env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Addresses of embedded servers with a migrated database, for the application and for the owner."""
    embedded = EmbeddedServers(ROOT / ".data" / "test" / f"roles-{uuid4().hex[:8]}", durable=False)
    try:
        with embedded.attach(("postgres", "valkey")) as variables:
            settings = {"HINDCAST_DATA_DIR": str(embedded.folder), "DJANGO_SETTINGS_MODULE": "config.settings.local"}
            manage("migrate", "--verbosity=0", **settings, **variables)
            # A second migration finds nothing to do and leaves the rights as they are.
            manage("migrate", "--verbosity=0", **settings, **variables)
            yield settings | variables
    finally:
        embedded.stop()
        for folder in {paths.postgres_home(embedded.folder, paths.postgres_user()), embedded.folder}:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def application(urls: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("table", TABLES)
def test_the_application_cannot_alter_a_ledger_table(application: psycopg.Connection, table: str) -> None:
    # PostgreSQL only warns of a GRANT that grants nothing.
    application.execute(f"GRANT ALL ON {table} TO hindcast_app")
    refused = []
    for statement in OF_EACH_TABLE:
        try:
            application.execute(statement.format(table=table))
        except InsufficientPrivilege:
            refused.append(statement)
    assert refused == list(OF_EACH_TABLE)
    assert application.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("statement", OF_THE_DATABASE)
def test_the_application_cannot_raise_its_rights(application: psycopg.Connection, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        application.execute(statement)


def test_the_application_owns_nothing(application: psycopg.Connection) -> None:
    assert application.execute("SELECT current_user").fetchone() == ("hindcast_app",)
    assert application.execute(RIGHTS).fetchone() == (False, 0, 0, 0)


def test_the_application_has_the_rights_that_it_needs(urls: dict[str, str], application: psycopg.Connection) -> None:
    only_the_application = {**urls, OWNER_URL: ""}
    assert "verify_ledger" in manage("install_schedule", **only_the_application)
    manage("ledger_key", **only_the_application)
    manage("verify_ledger", **only_the_application)
    assert application.execute("SELECT count(*), min(fault) FROM predictions_ledgercheck").fetchone() == (1, "")
    with application.transaction(force_rollback=True):
        application.execute(
            "INSERT INTO predictions_toolchain (versions) VALUES ('numpy'); "
            "UPDATE predictions_scoringprogress SET as_of = NULL; DELETE FROM predictions_accuracyday; "
            "CREATE TEMPORARY TABLE staging (LIKE marketdata_dailybar) ON COMMIT DROP; TRUNCATE staging"
        )


@pytest.mark.django_db
def test_a_missing_role_is_created_with_its_rights(settings: Settings) -> None:
    credentials = {"USER": "hindcast_made", "PASSWORD": "it's secret"}
    site = replace(settings.HINDCAST_SITE, database=credentials, owner_database={"USER": "the owner of this test"})
    settings.HINDCAST_SITE = site
    for _ in range(2):
        grant_application_rights()
    rights = "SELECT has_table_privilege('hindcast_made', %s, %s)"
    for table in TABLES:
        allowed = [fetch_rows(rights, [table, right])[0][0] for right in ("SELECT", "INSERT", "UPDATE", "DELETE")]
        assert allowed == [True, True, False, False]
    assert fetch_rows(rights, ["marketdata_dailybar", "DELETE"]) == [(True,)]
    # Without an owner in the settings, the role of the connection has the tables.
    settings.HINDCAST_SITE = replace(site, database={"USER": "hindcast_never", "PASSWORD": ""}, owner_database={})
    grant_application_rights()
    assert fetch_rows("SELECT count(*) FROM pg_roles WHERE rolname = 'hindcast_never'") == [(0,)]


def test_a_role_without_the_owner_cannot_migrate(urls: dict[str, str]) -> None:
    with psycopg.connect(urls[OWNER_URL], autocommit=True) as owner:
        owner.execute("DELETE FROM django_migrations WHERE app = 'predictions'")
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"], cwd=ROOT, env={**os.environ, **urls, OWNER_URL: ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "permission denied" in done.stderr
