"""Load by wrk, and what it says."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api_servers import Server

REPORT = Path(__file__).with_name("wrk_report.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """One turn: answers a second, latencies in milliseconds, processor microseconds an answer."""

    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    failed: int
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Wrk:
    """The load generator, for turns of so many seconds."""

    program: str
    seconds: int

    def load(self, server: Server, path: str, headers: Mapping[str, str], connections: int) -> Load:
        """Call one path as often as that many connections can. Any answer but a success counts as failed."""
        named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        command = [self.program, "-t1", f"-c{connections}", f"-d{self.seconds}s", "-s", str(REPORT), *named]
        before = server.cpu_s()
        finished = subprocess.run([*command, server.url(path)], capture_output=True, text=True, check=True)
        used = server.cpu_s() - before
        told = json.loads(finished.stdout.strip().splitlines()[-1])
        return Load(
            per_second=told["requests"] / told["seconds"],
            p50_ms=told["p50_ms"],
            p95_ms=told["p95_ms"],
            p99_ms=told["p99_ms"],
            failed=told["failed"],
            cpu_us=1e6 * used / max(1, told["requests"]),
        )
