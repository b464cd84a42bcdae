"""Pytest plugin: starts servers for each test process before Django reads its settings."""

import atexit
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from config.devserver import servers
from config.devserver.paths import ROOT

SETTINGS = {
    "HINDCAST_PROVIDERS": "sample",
    # All tests call from one address; tests of limits set their own.
    "HINDCAST_LIMIT_ANONYMOUS": "100000",
    "HINDCAST_LIMIT_PAGES": "100000",
    "HINDCAST_LIMIT_SOCKETS_ADDRESS": "100000",
    "HINDCAST_LIMIT_SOCKETS_ACCOUNT": "100000",
    "HINDCAST_LIMIT_COMMANDS": "100000",
    "HINDCAST_LOG_LEVEL": "WARNING",
    "OMP_NUM_THREADS": "1",
}
RUNS = range(1, 100)
_servers_of_this_run = ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Start servers unless the environment names some; a wrapper runs before pytest-django reads the settings.

    With pytest-xdist every worker has its own servers, because Redis channels are shared between databases.
    """
    options = early_config.known_args_namespace
    os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
    runs_tests = os.environ.get("PYTEST_XDIST_WORKER") or not options.numprocesses
    if runs_tests and not (options.help or options.version):
        _start_servers()
    return (yield)


@pytest.fixture(autouse=True)
def _rate_limit_windows_start_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every window end a whole window after the start of the test, so that none ends while it counts calls."""
    started_s = int(time.time())
    monkeypatch.setattr("accounts.quotas.window_offset_s", lambda bucket, width_s: started_s % width_s)


def pytest_unconfigure() -> None:
    """Stop the servers; errors of their remaining clients are expected and not logged."""
    logging.getLogger("store.subscription").disabled = True
    _servers_of_this_run.close()


def _start_servers() -> None:
    atexit.register(_servers_of_this_run.close)
    folder = _servers_of_this_run.enter_context(_locked_folder(ROOT / ".data" / "test"))
    os.environ.setdefault("HINDCAST_DATA_DIR", str(folder))
    try:
        _servers_of_this_run.enter_context(servers.ensure_servers(os.environ, folder, durable=False, as_superuser=True))
    except servers.EmbeddedServerError as problem:
        raise pytest.UsageError(str(problem)) from problem


@contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    """Lock the first free folder; it is reused by later runs, so PostgreSQL is initialised once."""
    for number in RUNS:
        folder = parent / f"run-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield folder
        finally:
            os.close(lock)
        return
    raise pytest.UsageError(f"All {len(RUNS)} test folders under {parent} are in use.")
