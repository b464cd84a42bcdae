"""What both servers share: a free port, a log file, being started apart from the terminal, being waited for."""

import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.devserver.errors import EmbeddedProblem
from config.devserver.process import ProcessIdentity, remember

HOST = "127.0.0.1"
START_SECONDS = 60.0
END_SECONDS = 5.0
PORT_PATIENCE_S = 2.0
LAST_LINES = 3


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server as `run.json` records it."""

    process: ProcessIdentity
    port: int

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.process.pid, "began": self.process.began, "port": self.port}

    @classmethod
    def from_json(cls, recorded: dict[str, Any]) -> "RunningServer":
        return cls(ProcessIdentity(int(recorded["pid"]), str(recorded["began"])), int(recorded["port"]))


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_for(wanted: int | None) -> int:
    """The wanted port if it is free, or soon is because its last user is just going; else a free one."""
    if wanted is None:
        return free_port()
    deadline = time.monotonic() + PORT_PATIENCE_S
    while port_in_use(wanted):
        if time.monotonic() > deadline:
            return free_port()
        time.sleep(0.02)
    return wanted


def port_in_use(port: int) -> bool:
    """Whether somebody listens on this port of this machine."""
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
    """Start a server apart from the terminal's signals and wait until it answers; None when it ended by itself.

    Raises EmbeddedProblem when it neither answers nor ends in time. A start that is interrupted leaves no server.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **popen
        )
    try:
        return _awaited(name, child, log=log, ready=ready)
    except BaseException:
        _end(child)
        raise


def _awaited(
    name: str, child: "subprocess.Popen[bytes]", *, log: Path, ready: Callable[[], bool]
) -> ProcessIdentity | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return None
        if ready() and (identity := ProcessIdentity.of(child.pid)):
            remember(child)
            return identity
        time.sleep(0.02)
    raise EmbeddedProblem(f"{name} did not answer within {START_SECONDS:.0f} s; see {log}.")


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_SECONDS)
    child.kill()
    child.wait()


def last_words(log: Path) -> str:
    """The end of a log file in one line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-LAST_LINES:])
