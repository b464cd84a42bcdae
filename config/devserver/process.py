"""One process told apart from every other, also from a later one that got the same number."""

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
    """A process number with the moment that process began; the pair is never used twice."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The process that has this number now, or None when there is none (a zombie counts as none)."""
        began = _began(pid)
        return cls(pid, began) if began else None

    @property
    def alive(self) -> bool:
        return _began(self.pid) == self.began

    def stop(self, first: signal.Signals, *, patience_s: float, group: bool = False) -> None:
        """Send `first`, wait, then kill; does nothing to another process that has the number by now."""
        for number in (first, signal.SIGKILL):
            if not self._send(number, group):
                return
            if self._gone_within(patience_s):
                return

    def _send(self, number: signal.Signals, group: bool) -> bool:
        if not self.alive:
            return False
        try:
            (os.killpg if group else os.kill)(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            _reap(self.pid)
            if not self.alive:
                return True
            time.sleep(POLL_SECONDS)
        return False


def remember(child: "subprocess.Popen[bytes]") -> None:
    """Keep a child that runs on, so that the system is told when nobody waits for it any more."""
    for pid in list(_children):
        _reap(pid)
    _children[child.pid] = child


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child and child.poll() is not None:
        del _children[pid]


def _began(pid: int) -> str:
    """When the process began, in the system's own words; empty when there is no such process."""
    if Path("/proc/self/stat").exists():
        return _began_by_proc(pid)
    told = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return "" if told.startswith("Z") else told.partition(" ")[2].strip()


def _began_by_proc(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return "" if fields[0] in "ZX" else f"{fields[19]}@{boot.read_text().strip() if boot.exists() else ''}"


def command_of(pid: int) -> str:
    """The whole command line of a process; empty when there is no such process."""
    told = Path(f"/proc/{pid}/cmdline")
    if told.exists():
        return told.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
