"""A pytest plugin: gives the test run servers and settings of its own before Django reads its settings."""

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
    # All tests call from one address; those that are about limits set their own.
    "HINDCAST_LIMIT_ANONYMOUS": "100000",
    "HINDCAST_LOG_LEVEL": "WARNING",
    "OMP_NUM_THREADS": "1",
}
RUNS = range(1, 100)
_until_the_end = ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Start servers, unless the environment names some; a wrapper comes before pytest-django reads the settings."""
    asks_only = early_config.known_args_namespace.help or early_config.known_args_namespace.version
    if not asks_only and not os.environ.get("PYTEST_XDIST_WORKER"):
        _prepare()
    return (yield)


@pytest.fixture(autouse=True)
def _rate_limit_windows_start_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every window end a whole window after the start of the test, so that none ends while it counts calls."""
    started_s = int(time.time())
    monkeypatch.setattr("accounts.allowances.window_offset_s", lambda bucket, width_s: started_s % width_s)


def pytest_unconfigure() -> None:
    """Stop the servers of this run; that their clients miss them then is no news."""
    logging.getLogger("store.subscription").disabled = True
    _until_the_end.close()


def _prepare() -> None:
    atexit.register(_until_the_end.close)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    folder = _until_the_end.enter_context(_own_folder(ROOT / ".data" / "test"))
    os.environ.setdefault("HINDCAST_DATA_DIR", str(folder))
    try:
        _until_the_end.enter_context(servers.ensure_servers(os.environ, folder, durable=False))
    except servers.EmbeddedServerError as problem:
        raise pytest.UsageError(str(problem)) from problem


@contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    """The first folder that no other test run holds; it stays, so that the database is made once."""
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
