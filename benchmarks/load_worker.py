"""The Celery worker of the mixed load: started as in the demo, and restarted as an operator does."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.api_servers import Server, children_of
from config.devserver.demo import programs
from config.devserver.paths import ROOT

PROCESSES = 2
STOP_S = 60.0
REPLACED_S = 120.0


@dataclass(slots=True)
class Worker:
    """A worker that takes the queue of the everyday work."""

    variables: Mapping[str, str]
    log: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        """Start it; its output goes into the log."""
        program = next(one for one in programs(0, dict(self.variables)) if one.name == "worker")
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                program.command, cwd=ROOT, env={**os.environ, **program.variables},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def stop(self) -> None:
        """Let it finish what it has begun; raises SystemExit when it does not end."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise SystemExit(f"The worker did not end within {STOP_S:.0f} s; see {self.log}.") from None

    def restart(self) -> float:
        """Stop it and start it again; returns for how many seconds there was none."""
        began = time.monotonic()
        self.stop()
        self.start()
        return time.monotonic() - began


def renew(web: Server) -> float:
    """Have each process of `web` followed by a new one; returns how many seconds that took.

    Raises SystemExit when they are still the old ones after two minutes.
    """
    former, began = set(children_of(web.pid)), time.monotonic()
    os.kill(web.pid, signal.SIGHUP)
    # What is started once for all of them stays.
    while len(former & set(children_of(web.pid))) > len(former) - PROCESSES:
        if time.monotonic() > began + REPLACED_S:
            raise SystemExit(f"The processes of {web.name} were not replaced within {REPLACED_S:.0f} s.")
        time.sleep(0.2)
    return time.monotonic() - began
