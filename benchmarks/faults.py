"""Kill -9 of each process of a demo under a light load: what callers see, how soon all is well, what is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console

from config.devserver.paths import ROOT
from config.devserver.server_process import HOST, free_port, port_in_use

OUT = Console(highlight=False, soft_wrap=True)
READY_LINE = "Ctrl-C stops everything."
SYMBOLS = ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")
PROGRAMS = ("web", "edge", "worker", "trainer", "beat")
LIMIT_S = 90.0
STEP_S = 0.05
QUIET_S = 3.0
BATCH = 600
COUNTS = """
from django.db import connection
c = connection.cursor()
key = "instrument_id, origin, horizon_sessions, model_version_id, kind"
c.execute(f"SELECT count(*), count(DISTINCT ({key})) FROM predictions_forecast")
print(*c.fetchone())
"""


@dataclass
class Demo:
    """A running demo: its folder, the addresses of web and edge, and a staff key."""

    folder: Path
    web: str
    edge: str
    key: str
    variables: dict[str, str]

    def pid(self, name: str) -> int:
        """Return the process id of a program, a server, or the last worker of web."""
        if name in ("postgres", "valkey"):
            return int(json.loads((self.folder / "run.json").read_text())[name]["pid"])
        rows = json.loads((self.folder / "demo.json").read_text())
        pid = int(rows[PROGRAMS.index(name.removesuffix(" worker"))]["pid"])
        return psutil.Process(pid).children()[-1].pid if name == "web worker" else pid

    def get(self, url: str) -> httpx.Response:
        return httpx.get(url, headers={"X-API-Key": self.key}, timeout=10, trust_env=False)

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.variables, capture_output=True, text=True, check=False)


@dataclass
class Load:
    """Calls for forecasts at a steady rate; an answer is wrong if it is 200 and differs from the first one."""

    demo: Demo
    rate: float
    rows: list[tuple[float, int, bool]] = field(default_factory=list)
    _first: dict[str, Any] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        callers = [threading.Thread(target=self._call, args=(site,)) for site in (self.demo.web, self.demo.edge)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            self._stop.set()
            for caller in callers:
                caller.join()

    def _call(self, site: str) -> None:
        number = 0
        while not self._stop.wait(2 / self.rate):
            number += 1
            symbol, began = SYMBOLS[number % len(SYMBOLS)], time.monotonic()
            try:
                answer = self.demo.get(f"{site}/api/v1/predict?symbol={symbol}&horizon=5")
            except httpx.HTTPError:
                self.rows.append((began, 0, False))
                continue
            is_wrong = False
            if answer.status_code == 200:
                body = answer.json()
                facts = (body["symbol"], body["id"], body["predicted_price"])
                is_wrong = body["symbol"] != symbol or self._first.setdefault(symbol, facts) != facts
            self.rows.append((began, answer.status_code, is_wrong))


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Run a demo of its own in `folder` until the end of the block."""
    port = free_port()
    while port_in_use(port + 1):
        port = free_port()
    variables = {**os.environ, "HINDCAST_DATA_DIR": str(folder), "HINDCAST_PORT": str(port),
                 "HINDCAST_PROVIDERS": "sample"}  # fmt: skip
    output = folder / "demo.out"
    with output.open("wb") as written:
        command = [sys.executable, "manage.py", "demo"]
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=written, stderr=written)
    try:
        while READY_LINE not in output.read_text():
            if process.poll() is not None:
                sys.exit(output.read_text())
            time.sleep(1)
        # The demo prints the key at its first start only.
        stored = folder / "staff_key"
        for key in re.findall(r"staff API key\s+(hc_\S+)", output.read_text()):
            stored.touch(mode=0o600)
            stored.write_text(key)
        yield Demo(folder, f"http://{HOST}:{port}", f"http://{HOST}:{port + 1}", stored.read_text().strip(), variables)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def recovery_s(is_well: Callable[[], bool]) -> float | None:
    """Return the seconds until `is_well()` held three times in a row; None if it never did."""
    began, row, first = time.monotonic(), 0, 0.0
    while time.monotonic() - began < LIMIT_S:
        try:
            well = is_well()
        except (httpx.HTTPError, psutil.Error, OSError, ValueError, LookupError):
            well = False
        if well and row == 0:
            first = time.monotonic() - began
        row = row + 1 if well else 0
        if row == 3:
            return first
        time.sleep(STEP_S)
    return None


def wellness(demo: Demo, name: str, old: int) -> Callable[[], bool]:
    """Return the check of one process: it runs under another id and answers."""

    def is_well() -> bool:
        if demo.pid(name) == old or not psutil.pid_exists(demo.pid(name)):
            return False
        if name in ("trainer", "beat", "worker"):
            return True
        if name in ("postgres", "valkey"):
            part = {"postgres": "database", "valkey": "redis"}[name]
            return bool(demo.get(f"{demo.web}/health/ready").json()["parts"][part]["status"] == "ok")
        site = demo.edge if name == "edge" else demo.web
        return demo.get(f"{site}/api/v1/predict?symbol=AAPL&horizon=5").status_code == 200

    return is_well


def batch(demo: Demo) -> str:
    """Start a batch job; returns its address."""
    # Only distinct symbols make a job; most of them are unknown, which is an answer too.
    symbols = [*SYMBOLS, *(f"Q{number}" for number in range(BATCH - len(SYMBOLS)))]
    answer = httpx.post(f"{demo.web}/api/v1/predict/batch", headers={"X-API-Key": demo.key},
                        json={"symbols": symbols, "horizon": 5}, timeout=30, trust_env=False)  # fmt: skip
    return demo.web + answer.headers["Location"] if answer.status_code == 202 else ""


def measure(demo: Demo, rate: float) -> None:
    """Kill each process in turn and print what happened."""
    before, load, jobs = demo.manage("shell", "-v", "0", "-c", COUNTS).stdout.split(), Load(demo, rate), {}
    OUT.print(f"{'killed':<12}{'well after':>11}{'calls':>7}{'not 200':>9}{'wrong':>7}  statuses")
    with load.running():
        for name in ("beat", "trainer", "edge", "web worker", "web", "worker", "valkey", "postgres"):
            time.sleep(QUIET_S)
            if name in ("worker", "valkey"):
                jobs[name] = batch(demo)
            old, seen = demo.pid(name), len(load.rows)
            os.kill(old, signal.SIGKILL)
            seconds = recovery_s(wellness(demo, name, old))
            time.sleep(QUIET_S)
            rows = load.rows[seen:]
            statuses = Counter(status or "no answer" for _, status, _ in rows)
            OUT.print(
                f"{name:<12}{'never' if seconds is None else f'{seconds:.1f} s':>11}{len(rows):>7}"
                f"{len(rows) - statuses[200]:>9}{sum(wrong for *_, wrong in rows):>7}  {dict(statuses)}",
            )
    for name, address in jobs.items():
        state: dict[str, Any] = {}

        def is_done(address: str = address, state: dict[str, Any] = state) -> bool:
            state.update(demo.get(address).json())
            return bool(state["status"] == "done")

        recovery_s(is_done)
        OUT.print(
            f"batch of {BATCH} begun before {name} was killed: {state.get('status')}, {state.get('done')} answers"
        )
    after = demo.manage("shell", "-v", "0", "-c", COUNTS).stdout.split()
    OUT.print(f"forecasts before and after, all and distinct: {before} {after}")
    OUT.print("verify_ledger:", demo.manage("verify_ledger").returncode)


def run(*, rate: float, data: Path | None) -> None:
    """Run the benchmark in the folder `data`, or in a temporary one."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with running_demo(folder) as demo:
            measure(demo, rate)
