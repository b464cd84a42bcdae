"""What is made sure before a demo or a time-lapse starts any server: one of a kind a clone, and both ports free."""

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.devserver.running import port_in_use
from config.devserver.servers import data_folder
from config.devserver.supervisor import end_recorded

SITES = ("demo", "timelapse")
EXIT_CANNOT_START = 2
DEFAULT_PORT = "8000"


@contextmanager
def checked(arguments: list[str]) -> Iterator[None]:
    """Hold the lock of the data folder while a site runs on it; any other command passes untouched."""
    if arguments[1:2] not in [[site] for site in SITES] or {"-h", "--help"} & set(arguments):
        yield
        return
    # A shell starts what it puts into the background with Ctrl-C ignored; a demo ends by it in any case.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = data_folder(os.environ)
    lock = _lock(folder)
    try:
        if not _has(lock):
            _refuse(f"A {arguments[1]} of this folder is already running; stop it first.")
        end_recorded(folder)
        for port in _ports():
            if port_in_use(port):
                _refuse(f"Port {port} is in use; set HINDCAST_PORT to another.")
        yield
    finally:
        os.close(lock)


def _ports() -> tuple[int, ...]:
    """The ports of site and stream; none when the setting is wrong, which the settings tell better."""
    text = os.environ.get("HINDCAST_PORT", "").strip() or DEFAULT_PORT
    if not text.isdecimal() or not 1 <= int(text) <= 65534:
        return ()
    return int(text), int(text) + 1


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        _refuse(f"The data folder {folder} cannot be written: {error.strerror}.")
        raise


def _has(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.exit(EXIT_CANNOT_START)
