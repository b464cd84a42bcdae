"""The page `docs/benchmarks.md`, written from one run of `benchmarks.api`."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.api_turns import CONNECTIONS, MEANS, SERVERS, Loads, middle

GOALS = {
    "web_vs_fastapi": (1.4, "at least"),
    "edge_vs_fastapi": (5.5, "at least"),
    "edge_vs_bare": (0.5, "at least"),
    "edge_p95_vs_fastapi": (0.5, "at most"),
}
BESIDE = {
    "revoked_web_ms": ("a revoked key is refused by `web` after", 1_000),
    "revoked_edge_ms": ("a revoked key is refused by `edge` after", 1_000),
    "reads_p95_ms": ("the slowest other read call, p95 at 16 connections", 100),
    "empty_web_p95_ms": ("`web` with an empty store, p95 of 16 calls at once", 250),
    "empty_edge_p95_ms": ("`edge` with an empty store, p95 of 16 calls at once", 250),
    "storeless_web_p95_ms": ("`web` without a store, p95 of 16 calls at once", None),
    "storeless_edge_p95_ms": ("`edge` without a store, p95 of 16 calls at once", None),
}
TEXT = """# The API beside its peers

Written by `make bench-api ARGS="--page docs/benchmarks.md"` on: {machine}.

Everybody answers `GET /api/v1/predict` in turn, one process each, with the load (wrk) on the same machine; only ratios
within one run mean anything, medians of {rounds} rounds here. The bare server and FastAPI answer 565 bytes and send no
header of a limit, count no usage and write no log. `web` and `edge` answer a whole forecast, about 950 bytes, with
every header, limit, count and log rule switched on, for a key and for a token of a plan without a limit. wrk says the
same again over each connection, which `edge` need not read again (docs/decisions/0020); of callers behind a proxy that
names each request it reads every one.

{loads}

Ratios, and what they have to be:

{ratios}

Beside them:

{beside}
"""


def write(path: Path, loads: Loads, ratios: Mapping[str, float], figures: Mapping[str, float], machine: str) -> None:
    """Write the page anew."""
    text = TEXT.format(
        machine=machine,
        rounds=len(next(iter(loads.values()))),
        loads=_table(("server", "by", "connections", "calls/s", "p50 ms", "p95 ms", "CPU us/call"), _turns(loads)),
        ratios=_table(("ratio", "goal", *[f"{count} connections" for count in CONNECTIONS]), _ratios(ratios)),
        beside=_table(("what", "goal, ms", "measured, ms"), _beside(figures)),
    )
    path.write_text(text, encoding="utf-8")


def _turns(loads: Loads) -> list[list[str]]:
    rows = []
    for count in CONNECTIONS:
        for means in MEANS:
            for name in SERVERS:
                turns = loads[name, means, count]
                speed, cpu = f"{middle(turns, 'per_second'):,.0f}", f"{middle(turns, 'cpu_us'):.0f}"
                latencies = [f"{middle(turns, figure):.1f}" for figure in ("p50_ms", "p95_ms")]
                rows.append([name, means, str(count), speed, *latencies, cpu])
    return rows


def _ratios(ratios: Mapping[str, float]) -> list[list[str]]:
    rows = []
    for name, (goal, direction) in GOALS.items():
        for suffix, words in (("", "key"), ("_jwt", "token")):
            cells = [f"{ratios[f'{name}{suffix}_c{count}']:.2f}" for count in CONNECTIONS]
            rows.append([f"`{name}`, {words}", f"{direction} {goal}", *cells])
    return rows


def _beside(figures: Mapping[str, float]) -> list[list[str]]:
    return [
        [words, "" if goal is None else f"{goal:,}", f"{figures[name]:.0f}"]
        for name, (words, goal) in BESIDE.items()
        if name in figures
    ]


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
