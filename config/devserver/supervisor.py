"""Process supervisor of a demo: start, watch, restart and stop programs, and clean up after a crash."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.devserver.errors import EmbeddedServerError
from config.devserver.paths import ROOT
from config.devserver.process_identity import ProcessIdentity

STOP_PATIENCE_S = 6.0
POLL_INTERVAL_S = 0.3
LAST_LINES = 15
# A process that ran this long starts again at once.
STABLE_S = 60.0
LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class Restarts:
    """When one program may start again: at once, then after 1, 2, 4, ... seconds while it keeps ending early."""

    failures: int = 0
    last_end: float = float("-inf")
    due: float | None = None

    def note_end(self, now: float) -> float:
        """Note that it ended; returns the seconds until its next start."""
        self.failures = self.failures + 1 if now - self.last_end < STABLE_S + LONGEST_PAUSE_S else 0
        pause = min(2.0 ** (self.failures - 1), LONGEST_PAUSE_S) if self.failures else 0.0
        self.last_end, self.due = now, now + pause
        return pause

    def is_due(self, now: float) -> bool:
        """Whether it ended and may start again now."""
        return self.due is not None and now >= self.due


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run: display name, command, and variables added to the environment."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(slots=True)
class Supervisor:
    """Runs programs with output in `folder`/log and their identities in `folder`/demo.json.

    `restart_servers` restarts dead database servers and returns their names.
    """

    folder: Path
    notify: Callable[[str], None]
    restart_servers: Callable[[], list[str]] = list
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)
    _restarts: dict[str, Restarts] = field(default_factory=dict)

    def start(self, program: Program) -> None:
        """Start a program in its own process group; it exits with this process."""
        log = self.log_of(program.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "config.devserver.exit_with_parent", str(os.getpid()), *program.command]
        with log.open("ab") as output:
            self._running[program.name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **program.variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._programs[program.name] = program
        self._record()

    def watch_until(self, done: Callable[[], bool], *, seconds: float = float("inf")) -> bool:
        """Restart exited programs and servers until `done()` is true; returns False on timeout.

        One that keeps exiting is started ever more rarely, while the others run on.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._restart_dead_servers()
            self._restart_programs()
            if done():
                return True
            time.sleep(POLL_INTERVAL_S)
        return False

    def stop(self) -> None:
        """Terminate all programs, then kill those that have not exited in time."""
        groups = [child.pid for child in self._running.values()]
        for group in groups:
            _signal_group(group, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE_S
        for child in self._running.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        for group in groups:
            _signal_group(group, signal.SIGKILL)
        for child in self._running.values():
            child.wait()
        self._running.clear()
        (self.folder / "demo.json").unlink(missing_ok=True)

    def log_of(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    def _restart_dead_servers(self) -> None:
        now, restarts = self.clock(), self._restarts.setdefault("servers", Restarts())
        if restarts.due is not None and not restarts.is_due(now):
            return
        try:
            for name in self.restart_servers():
                self.notify(f"{name} ended and was started again.")
        except EmbeddedServerError as error:
            pause = restarts.note_end(now)
            self.notify(f"{error} Trying again{_later(pause)}.")
        else:
            restarts.due = None

    def _restart_programs(self) -> None:
        for name, child in list(self._running.items()):
            if child.poll() is None:
                continue
            now, restarts = self.clock(), self._restarts.setdefault(name, Restarts())
            if restarts.due is None:
                _signal_group(child.pid, signal.SIGKILL)
                pause = restarts.note_end(now)
                lines = self.log_of(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
                message = f"{name} ended with code {child.returncode}:\n" + "\n".join(f"  {line}" for line in lines)
                self.notify(f"{message}\nStarting {name} again{_later(pause)}.")
            if restarts.is_due(now):
                restarts.due = None
                self.start(self._programs[name])

    def _record(self) -> None:
        identities = [ProcessIdentity.of(child.pid) for child in self._running.values()]
        written = self.folder / "demo.json.new"
        written.write_text(json.dumps([{"pid": one.pid, "started_at": one.started_at} for one in identities if one]))
        written.replace(self.folder / "demo.json")


def _later(pause: float) -> str:
    return f" in {pause:.0f} s" if pause else ""


def stop_recorded_processes(folder: Path) -> None:
    """Stop the processes of a killed demo."""
    record = folder / "demo.json"
    try:
        written = json.loads(record.read_text())
        left = [ProcessIdentity(int(one["pid"]), str(one["started_at"])) for one in written]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for process in left:
        process.stop(signal.SIGTERM, patience_s=STOP_PATIENCE_S, group=True)
    record.unlink(missing_ok=True)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
