"""Process identity that survives reuse of process ids."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.02
_children: "dict[int, subprocess.Popen[bytes]]" = {}


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id with its start time; the pair is never reused."""

    pid: int
    started_at: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the process that has this id now; None if there is none or it is a zombie."""
        started_at = _start_time(pid)
        return cls(pid, started_at) if started_at else None

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started_at

    def stop(self, first: signal.Signals, *, patience_s: float, group: bool = False) -> None:
        """Send `first`, wait, then kill; another process that now has the id is left alone."""
        for number in (first, signal.SIGKILL):
            if not self._send(number, group):
                return
            if self._exits_within(patience_s):
                return

    def _send(self, number: signal.Signals, group: bool) -> bool:
        if not self.alive:
            return False
        try:
            (os.killpg if group else os.kill)(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _exits_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            _reap(self.pid)
            if not self.alive:
                return True
            time.sleep(POLL_SECONDS)
        return False


def reap_later(child: "subprocess.Popen[bytes]") -> None:
    """Register a running child, so that it is reaped when it exits."""
    for pid in list(_children):
        _reap(pid)
    _children[child.pid] = child


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child and child.poll() is not None:
        del _children[pid]


def _start_time(pid: int) -> str:
    """Return the process's start time in the system's format; empty if there is no such process."""
    if Path("/proc/self/stat").exists():
        return _start_time_from_proc(pid)
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return "" if shown.startswith("Z") else shown.partition(" ")[2].strip()


def _start_time_from_proc(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return "" if fields[0] in "ZX" else f"{fields[19]}@{boot.read_text().strip() if boot.exists() else ''}"


def command_line(pid: int) -> str:
    """Return the full command line of a process; empty if there is no such process."""
    cmdline = Path(f"/proc/{pid}/cmdline")
    if cmdline.exists():
        return cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
