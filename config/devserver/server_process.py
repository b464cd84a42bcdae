"""Start a server process on a free port and wait until it is ready; shared by PostgreSQL and Valkey."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from config.devserver.errors import EmbeddedServerError
from config.devserver.process_identity import ProcessIdentity, reap_later

HOST = "127.0.0.1"
START_SECONDS = 60.0
END_SECONDS = 5.0
PORT_PATIENCE_S = 2.0
LAST_LINES = 3


@dataclass(frozen=True, slots=True)
class RunningServer:
    """One server in `run.json`."""

    process: ProcessIdentity
    port: int

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.process.pid, "started_at": self.process.started_at, "port": self.port}

    @classmethod
    def from_json(cls, recorded: dict[str, Any]) -> "RunningServer":
        return cls(ProcessIdentity(int(recorded["pid"]), str(recorded["started_at"])), int(recorded["port"]))


class StartServer(Protocol):
    """Start a server for a data folder, on `port` if it is free, else on a free port."""

    def __call__(self, folder: Path, *, password: str, durable: bool, port: int | None = None) -> RunningServer: ...


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A kind of server: its name, the signal that stops it, how it is started, and the variables that address it.

    `variables(server, password, as_superuser)` gives the URLs of ordinary users or of the superuser.
    """

    name: str
    stop_signal: signal.Signals
    start: StartServer
    variables: Callable[[RunningServer, str, bool], dict[str, str]]


def free_port() -> int:
    """Return a port that is currently free."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_for(wanted: int | None) -> int:
    """Return the wanted port if it becomes free within PORT_PATIENCE_S, else a free port."""
    if wanted is None:
        return free_port()
    deadline = time.monotonic() + PORT_PATIENCE_S
    while port_in_use(wanted):
        if time.monotonic() > deadline:
            return free_port()
        time.sleep(0.02)
    return wanted


def port_in_use(port: int) -> bool:
    """Whether a program listens on this local port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return False
        except OSError:
            return True
    return False


def launch(
    name: str, command: list[str], *, log: Path, ready: Callable[[], bool], **popen: Any
) -> ProcessIdentity | None:
    """Start a server in its own session and wait until it is ready; returns None if it exits.

    Raises EmbeddedServerError if it is not ready in time. An interrupted start leaves no server.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **popen
        )
    try:
        return _wait_until_ready(name, child, log=log, ready=ready)
    except BaseException:
        _terminate(child)
        raise


def _wait_until_ready(
    name: str, child: "subprocess.Popen[bytes]", *, log: Path, ready: Callable[[], bool]
) -> ProcessIdentity | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return None
        if ready() and (identity := ProcessIdentity.of(child.pid)):
            reap_later(child)
            return identity
        time.sleep(0.02)
    raise EmbeddedServerError(f"{name} did not answer within {START_SECONDS:.0f} s; see {log}.")


def _terminate(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_SECONDS)
    child.kill()
    child.wait()


def last_log_lines(log: Path) -> str:
    """Return the last lines of a log file as one line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-LAST_LINES:])
