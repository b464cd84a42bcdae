"""Embedded PostgreSQL: initialised once per data folder, started on a free port with a password.

Three roles: the superuser, who is used here and by tests; the owner of the database, who migrates it; and the
application, which cannot alter the ledger.
"""

import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from config.devserver import paths, server_process
from config.devserver.errors import EmbeddedServerError
from config.devserver.paths import ServerUser
from config.devserver.process_identity import ProcessIdentity, command_line
from config.devserver.server_process import EmbeddedServer, RunningServer

SUPERUSER = DATABASE = "hindcast"
OWNER, APPLICATION = "hindcast_owner", "hindcast_app"
ATTEMPTS = 8
PAUSE_SECONDS = 0.5
BUILTIN_LOCALE_SINCE = 17
SETTINGS = {
    "listen_addresses": server_process.HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "timezone": "UTC",
}
WITHOUT_DURABILITY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start_postgres(folder: Path, *, password: str, durable: bool, port: int | None = None) -> RunningServer:
    """Start PostgreSQL on `port` if it is free, else on a free port; initialises the database files if necessary."""
    runner = paths.postgres_user()
    programs = paths.postgres_programs(runner)
    home = paths.postgres_home(folder, runner)
    files = home / f"postgres-{_major_version(programs)}"
    _stop_unrecorded(files)
    if not _belongs_to(files, password):
        _initialise(files, programs=programs, runner=runner, password=password)
    log = folder / "postgres.log"
    settings = SETTINGS if durable else SETTINGS | WITHOUT_DURABILITY
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    for _ in range(ATTEMPTS):
        chosen = server_process.port_for(port)
        command = [str(programs / "postgres"), "-D", str(files), "-p", str(chosen), *options]
        started = server_process.launch(POSTGRES.name, command, log=log, ready=_ready(files), **runner.popen)
        if started:
            return _with_database(RunningServer(started, chosen), password)
        # Another program took the port, or processes of a killed server are still exiting.
        time.sleep(PAUSE_SECONDS)
    raise EmbeddedServerError(f"PostgreSQL did not start: {server_process.last_log_lines(log)}")


def _variables(server: RunningServer, password: str, as_superuser: bool) -> dict[str, str]:
    if as_superuser:
        return {"DATABASE_URL": _url(server, SUPERUSER, password)}
    return {
        "DATABASE_URL": _url(server, APPLICATION, _password_of(APPLICATION, password)),
        "HINDCAST_DATABASE_OWNER_URL": _url(server, OWNER, _password_of(OWNER, password)),
    }


def _url(server: RunningServer, user: str, password: str) -> str:
    return f"postgres://{user}:{password}@{server_process.HOST}:{server.port}/{DATABASE}"


def _password_of(role: str, password: str) -> str:
    """Derive the password of a role from the superuser's, which does not follow from it."""
    return hmac.new(password.encode(), role.encode(), hashlib.sha256).hexdigest()


def _ready(files: Path) -> Callable[[], bool]:
    """Return a readiness probe that reads the pid file, as pg_ctl does."""

    def ready() -> bool:
        lines = _pid_file_lines(files)
        return len(lines) > 7 and lines[7].strip() == "ready"

    return ready


def _pid_file_lines(files: Path) -> list[str]:
    try:
        return (files / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _stop_unrecorded(files: Path) -> None:
    """Stop a server that uses these files but is not in the record; remove a stale pid file."""
    lines = _pid_file_lines(files)
    if not lines:
        return
    process = ProcessIdentity.of(int(lines[0]))
    if process and f"-D {files} " in command_line(process.pid):
        process.stop(POSTGRES.stop_signal, patience_s=10)
    (files / "postmaster.pid").unlink(missing_ok=True)


def _major_version(programs: Path) -> int:
    version = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.split()[2].split(".")[0])


def _mark(password: str) -> str:
    return hashlib.sha256(f"database files of {password}".encode()).hexdigest()


def _belongs_to(files: Path, password: str) -> bool:
    """Whether the files were initialised with this password; files of a removed clone were not."""
    mark = files / "hindcast.mark"
    return mark.exists() and mark.read_text() == _mark(password)


def _initialise(files: Path, *, programs: Path, runner: ServerUser, password: str) -> None:
    """Initialise the database files in a temporary folder and rename it, so that a partial one is never used."""
    unfinished = files.with_name(f"{files.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(files, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    runner.own(unfinished)
    secret = unfinished / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    runner.own(secret)
    cluster = unfinished / "cluster"
    version = _major_version(programs)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= BUILTIN_LOCALE_SINCE else []
    made = subprocess.run(
        [programs / "initdb", "-D", cluster, "-U", SUPERUSER, f"--pwfile={secret}", "--auth=scram-sha-256",
         "--no-locale", *locale, "--encoding=UTF8", "--no-instructions"],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **runner.popen,
    )  # fmt: skip
    if made.returncode:
        raise EmbeddedServerError(f"The database files cannot be created: {' '.join(made.stderr.split())}")
    mark = cluster / "hindcast.mark"
    mark.touch(mode=0o600)
    mark.write_text(_mark(password))
    runner.own(mark)
    os.rename(cluster, files)
    shutil.rmtree(unfinished)


def _with_database(server: RunningServer, password: str) -> RunningServer:
    """Create roles and database; stops the server if that fails."""
    try:
        _ensure_database(server, password)
    except BaseException as error:
        server.process.stop(POSTGRES.stop_signal, patience_s=server_process.END_SECONDS)
        if isinstance(error, psycopg.Error):
            raise EmbeddedServerError(
                f"PostgreSQL runs but its database cannot be created: {' '.join(str(error).split())}"
            ) from error
        raise
    return server


def _ensure_database(server: RunningServer, password: str) -> None:
    address = {"host": server_process.HOST, "port": server.port, "user": SUPERUSER, "password": password}
    with psycopg.connect(**address, dbname="postgres", autocommit=True) as connection:  # type: ignore[arg-type]  # a dict of mixed values
        roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
        for role in {OWNER, APPLICATION} - roles:
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(create.format(sql.Identifier(role), sql.Literal(_password_of(role, password))))
        database, owner = sql.Identifier(DATABASE), sql.Identifier(OWNER)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner))


POSTGRES = EmbeddedServer("PostgreSQL", signal.SIGINT, start_postgres, _variables)
