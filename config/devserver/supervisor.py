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

from config.devserver.paths import ROOT
from config.devserver.process_identity import ProcessIdentity

STOP_PATIENCE_S = 6.0
POLL_INTERVAL_S = 0.3
LAST_LINES = 15
RESTART_INTERVAL_S = 60.0


class ProcessExited(Exception):
    """A process exited again soon after a restart; the message contains the last lines of its log."""


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
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)
    _restarted: dict[str, float] = field(default_factory=dict)

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
        """Restart exited programs until `done()` is true; returns False on timeout.

        Raises ProcessExited if a program exits twice within RESTART_INTERVAL_S.
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
        for name in self.restart_servers():
            self._note_restart(name, f"{name} ended; its log is in {self.folder}.")
            self.notify(f"{name} ended and was started again.")

    def _restart_programs(self) -> None:
        for name, child in list(self._running.items()):
            if child.poll() is None:
                continue
            lines = self.log_of(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
            message = f"{name} ended with code {child.returncode}:\n" + "\n".join(f"  {line}" for line in lines)
            _signal_group(child.pid, signal.SIGKILL)
            self._note_restart(name, message)
            self.notify(f"{message}\nStarting {name} again.")
            self.start(self._programs[name])

    def _note_restart(self, name: str, message: str) -> None:
        """Raise ProcessExited with `message` if the last restart was less than RESTART_INTERVAL_S ago."""
        now = time.monotonic()
        if now - self._restarted.get(name, -RESTART_INTERVAL_S) < RESTART_INTERVAL_S:
            raise ProcessExited(message)
        self._restarted[name] = now

    def _record(self) -> None:
        identities = [ProcessIdentity.of(child.pid) for child in self._running.values()]
        written = self.folder / "demo.json.new"
        written.write_text(json.dumps([{"pid": one.pid, "started_at": one.started_at} for one in identities if one]))
        written.replace(self.folder / "demo.json")


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
