"""HTTP load by wrk."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api_servers import Server

SCRIPT = Path(__file__).with_name("wrk_load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """Result of one run: requests per second, latencies in milliseconds, processor microseconds per request."""

    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    failed: int
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Wrk:
    """The load generator; each run lasts `seconds`."""

    program: str
    seconds: float

    def repeated(self, server: Server, path: str, headers: Mapping[str, str], connections: int) -> Load:
        """Send the same request again and again over that many connections."""
        named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        return self._run(server, path, named, connections)

    def varied(self, server: Server, keys: Path, symbols: Path, connections: int) -> Load:
        """Send requests that all differ: key and symbol (one per line of the files), horizon and request id."""
        return self._run(server, "/", [], connections, arguments=["--", str(keys), str(symbols)])

    def _run(
        self, server: Server, path: str, options: Sequence[str], connections: int, arguments: Sequence[str] = ()
    ) -> Load:
        duration = ["-t1", f"-c{connections}", f"-d{self.seconds}s", "-s", str(SCRIPT)]
        before = server.cpu_s()
        finished = subprocess.run(
            [self.program, *duration, *options, server.url(path), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        used = server.cpu_s() - before
        report = json.loads(finished.stdout.strip().splitlines()[-1])
        return Load(
            per_second=report["requests"] / report["seconds"],
            p50_ms=report["p50_ms"],
            p95_ms=report["p95_ms"],
            p99_ms=report["p99_ms"],
            failed=report["failed"],
            cpu_us=1e6 * used / max(1, report["requests"]),
        )
