"""The processes of a demo: started together, watched, stopped together, and found again after a crash."""

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
from config.devserver.process import ProcessIdentity

STOP_PATIENCE_S = 6.0
LOOK_EVERY_S = 0.3
LAST_LINES = 15
STEADY_S = 60.0


class ProcessEnded(Exception):
    """A process ended by itself soon after it was started again; the message holds the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: a name for people, the command, and variables on top of our own."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(slots=True)
class Supervisor:
    """Starts programs, writes their output to `folder`/log, and keeps their identities in `folder`/demo.json.

    `revive_servers` starts again what the programs stand on and says what that was.
    """

    folder: Path
    tell: Callable[[str], None]
    revive_servers: Callable[[], list[str]] = list
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)
    _restarted: dict[str, float] = field(default_factory=dict)

    def start(self, program: Program) -> None:
        """Start a program in a process group of its own, tied to this process."""
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
        """Look after the programs until `done` says so; False when the time is over first.

        What ends is started again; raises ProcessEnded when that ends within a minute.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._revive_servers()
            self._revive_programs()
            if done():
                return True
            time.sleep(LOOK_EVERY_S)
        return False

    def stop(self) -> None:
        """Ask every program to end, all at once, and kill what has not ended in time."""
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

    def _revive_servers(self) -> None:
        for name in self.revive_servers():
            self._note_restart(name, f"{name} ended; its log is in {self.folder}.")
            self.tell(f"{name} ended and was started again.")

    def _revive_programs(self) -> None:
        for name, child in list(self._running.items()):
            if child.poll() is None:
                continue
            lines = self.log_of(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
            told = f"{name} ended with code {child.returncode}:\n" + "\n".join(f"  {line}" for line in lines)
            _signal_group(child.pid, signal.SIGKILL)
            self._note_restart(name, told)
            self.tell(f"{told}\nStarting {name} again.")
            self.start(self._programs[name])

    def _note_restart(self, name: str, told: str) -> None:
        """Raises ProcessEnded with `told` when the last restart was a moment ago: another will not help."""
        now = time.monotonic()
        if now - self._restarted.get(name, -STEADY_S) < STEADY_S:
            raise ProcessEnded(told)
        self._restarted[name] = now

    def _record(self) -> None:
        identities = [ProcessIdentity.of(child.pid) for child in self._running.values()]
        written = self.folder / "demo.json.new"
        written.write_text(json.dumps([{"pid": one.pid, "began": one.began} for one in identities if one]))
        written.replace(self.folder / "demo.json")


def end_recorded(folder: Path) -> None:
    """End what a demo that was killed left behind."""
    record = folder / "demo.json"
    try:
        written = json.loads(record.read_text())
        left = [ProcessIdentity(int(one["pid"]), str(one["began"])) for one in written]
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
