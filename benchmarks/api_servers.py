"""Servers of `benchmarks.api`: start, wait until ready, stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from config.devserver.demo import programs
from config.devserver.paths import ROOT
from config.devserver.server_process import HOST, free_port

START_SECONDS = 60
STOP_SECONDS = 40
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    pid: int

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def cpu_s(self) -> float:
        """Return the processor seconds used so far by the process and its children."""
        seconds = 0.0
        for pid in (self.pid, *children_of(self.pid)):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / TICKS
        return seconds


@contextmanager
def running(name: str, command: Sequence[str], port: int, variables: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Run the server until the block ends; its output goes into the log."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait_for(child, port, log)
        yield Server(name, port, child.pid)
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # A killed process cannot stop its children.
            for pid in children_of(child.pid):
                os.kill(pid, signal.SIGKILL)
            child.kill()
            child.wait()


@contextmanager
def ours(name: str, variables: Mapping[str, str], folder: Path, *, processes: int = 1) -> Iterator[Server]:
    """Run `web`, in that many processes, or `edge`, with the command of the demo."""
    port = free_port()
    first = port if name == "web" else port - 1
    known = programs(first, dict(variables), web_processes=processes)
    program = next(one for one in known if one.name == name)
    with running(name, program.command, port, program.variables, folder / f"{name}.log") as server:
        yield server


@contextmanager
def peer(name: str, module: str, python: Path, variables: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """Run a peer under uvicorn, as `edge` runs, in the peers' environment."""
    port = free_port()
    command = [str(python), "-m", "uvicorn", "--host", HOST, "--port", str(port), "--no-access-log",
               "--log-level", "warning", "--no-proxy-headers",
               f"benchmarks.api_peers.{module}:application"]  # fmt: skip
    with running(name, command, port, variables, folder / f"{name}.log") as server:
        yield server


def _wait_for(child: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            sys.stderr.write(log.read_text(errors="replace")[-2_000:])
            raise SystemExit(f"The server at port {port} ended with code {child.returncode}; see {log}.")
        try:
            httpx.get(f"http://{HOST}:{port}/", timeout=2)
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit(f"The server at port {port} did not answer; see {log}.")


def children_of(pid: int) -> list[int]:
    """Return the running child processes."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []
