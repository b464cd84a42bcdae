"""Checks before a demo or time-lapse starts: one site per data folder, both ports free."""

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.devserver.server_process import port_in_use
from config.devserver.servers import data_folder
from config.devserver.supervisor import stop_recorded_processes

SITES = ("demo", "timelapse")
EXIT_CANNOT_START = 2
DEFAULT_PORT = "8000"


@contextmanager
def exclusive_site(arguments: list[str]) -> Iterator[None]:
    """Lock the data folder while a demo or time-lapse runs; other commands pass through."""
    if arguments[1:2] not in [[site] for site in SITES] or {"-h", "--help"} & set(arguments):
        yield
        return
    # Shells start background jobs with SIGINT ignored; a demo must end on SIGINT in any case.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = data_folder(os.environ)
    lock = _lock(folder)
    try:
        if not _try_lock(lock):
            _exit_refused(f"A {arguments[1]} of this folder is already running; stop it first.")
        stop_recorded_processes(folder)
        for port in _ports():
            if port_in_use(port):
                _exit_refused(f"Port {port} is in use; set HINDCAST_PORT to another.")
        yield
    finally:
        os.close(lock)


def _ports() -> tuple[int, ...]:
    """Return the ports of site and stream; empty for an invalid setting, which the settings report."""
    text = os.environ.get("HINDCAST_PORT", "").strip() or DEFAULT_PORT
    if not text.isdecimal() or not 1 <= int(text) <= 65534:
        return ()
    return int(text), int(text) + 1


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        _exit_refused(f"The data folder {folder} cannot be written: {error.strerror}.")
        raise


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exit_refused(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.exit(EXIT_CANNOT_START)
