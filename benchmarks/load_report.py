"""Report of `benchmarks.load`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from benchmarks.frame import write_summary
from benchmarks.load_drive import Driver, Timings
from benchmarks.load_stream import SOCKETS, Stream

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """A load of `rate` calls a second, and the restarts in its middle."""

    driver: Driver
    stream: Stream
    capacity: float
    rate: float
    lasted_s: float
    away_s: float
    renewed_s: float


def report(measured: Measured, on: str) -> None:
    """Print the table and, as the last line, one JSON object."""
    driver, stream = measured.driver, measured.stream
    whole = Timings(
        [ms for timings in driver.timings.values() for ms in timings.ms],
        sum(timings.failed for timings in driver.timings.values()) + driver.jobs.failed,
    )
    received = Timings(stream.received_ms, stream.missed)
    table = Table(title=f"{measured.rate:,.0f} calls a second, of {measured.capacity:,.0f} that can be answered")
    for name in ("call", "answered", "p50 ms", "p95 ms", "p99 ms", "failed"):
        table.add_column(name, justify="left" if name == "call" else "right", no_wrap=True)
    for name, timings in [*driver.timings.items(), ("all calls", whole), ("a job until it is done", driver.jobs),
                        (f"a price at {SOCKETS} sockets", received)]:  # fmt: skip
        middle, high, highest = percentiles(timings.ms)
        table.add_row(
            name, f"{len(timings.ms):,}", f"{middle:,.1f}", f"{high:,.1f}", f"{highest:,.1f}", str(timings.failed),
            end_section=name == "all calls",
        )  # fmt: skip
    console = Console(file=sys.stdout, width=120)
    console.print(table)
    console.print(
        f"No worker ran for {measured.away_s:.1f} s; both processes of web were replaced within "
        f"{measured.renewed_s:.1f} s. {driver.repeated} calls were repeated over a new connection. Calls started "
        f"{percentiles(driver.late_ms)[2]:.1f} ms late at the 99th percentile, which counts as their time."
    )
    for complaint, times in driver.complaints.most_common(SHOWN):
        console.print(f"{times} x {complaint}", markup=False)
    figures = _figures(measured, whole, received)
    write_summary("load", {}, figures, on)


def percentiles(ms: Sequence[float]) -> tuple[float, float, float]:
    """Return the 50th, 95th and 99th; zeros without values."""
    if len(ms) < 2:
        return (*ms, *ms, *ms) if ms else (0.0, 0.0, 0.0)  # type: ignore[return-value]  # one of each
    cuts = quantiles(ms, n=100)
    return cuts[49], cuts[94], cuts[98]


def _figures(measured: Measured, whole: Timings, received: Timings) -> dict[str, float]:
    middle, high, highest = percentiles(whole.ms)
    calls = len(whole.ms) + whole.failed
    figures = {
        "p50_ms": middle,
        "p95_ms": high,
        "p99_ms": highest,
        "errors": whole.failed,
        "errors_share": whole.failed / max(1, calls),
        "calls": calls,
        "seconds": measured.lasted_s,
        "per_second": measured.rate,
        "capacity_per_second": measured.capacity,
        "repeated": measured.driver.repeated,
        "late_p99_ms": percentiles(measured.driver.late_ms)[2],
        "job_p95_ms": percentiles(measured.driver.jobs.ms)[1],
        "stream_p95_ms": percentiles(received.ms)[1],
        "stream_missed": received.failed,
        "worker_away_s": measured.away_s,
        "web_renewed_s": measured.renewed_s,
    }
    for name, timings in measured.driver.timings.items():
        word = name.replace("(", "").replace(")", "").replace(" ", "_")
        figures[f"{word}_p95_ms"] = percentiles(timings.ms)[1]
    return {name: round(value, 5) for name, value in figures.items()}
