"""Tables of `benchmarks.api`: on the terminal, as the page `docs/benchmarks.md`, and as one line of JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.api_rounds import CONNECTIONS, KINDS, SERVERS, Loads, figures_of, median_of, ratio_name, ratios_of
from benchmarks.frame import print_table, write_summary

# Pair, bar, and the kinds of load it applies to.
BARS = (
    ("edge", "fastapi", "at least 8", ("varied",)),
    ("edge", "bare", "at least 0.4", ("varied",)),
    ("web", "fastapi", "at least 1.4", ("varied", "key", "token")),
    ("edge", "fastapi", "at least 5.5", ("key", "token")),
    ("edge", "bare", "at least 0.5", ("key", "token")),
    ("edge_cpu", "fastapi", "", ("varied",)),
    ("web_cpu", "fastapi", "", ("varied",)),
    ("edge_p95", "fastapi", "at most 0.5", ("varied", "key", "token")),
)
OTHER_FIGURES = {
    "revoked_web_ms": ("`web` refuses a revoked key after", 1_000),
    "revoked_edge_ms": ("`edge` refuses a revoked key after", 1_000),
    "reads_p95_ms": ("the slowest other read call, p95 at 16 connections", 100),
    "empty_web_p95_ms": ("`web` with an empty store, p95 of 16 simultaneous calls", 250),
    "empty_edge_p95_ms": ("`edge` with an empty store, p95 of 16 simultaneous calls", 250),
    "storeless_web_p95_ms": ("`web` without a store, p95 of 16 simultaneous calls", None),
    "storeless_edge_p95_ms": ("`edge` without a store, p95 of 16 simultaneous calls", None),
}
LOAD_COLUMNS = ("load", "connections", "server", "calls/s", "p50 ms", "p95 ms", "CPU us/call")
PAGE = """# The API compared with FastAPI and a bare server

Written by `make bench-api ARGS="--page docs/benchmarks.md"` on: {machine}.

One process of each server answers `GET /api/v1/predict`; the load generator (wrk) and Redis run on the same machine.
The servers take turns within each round, and a ratio is the median over {rounds} rounds of two turns in the same round,
so only ratios can be compared between runs. `_cpu` ratios compare calls per processor second of the server itself,
which other load on the machine distorts less. `web` is the ordinary Django view under Granian, `edge` the ASGI process.

- `varied` is the headline: every call differs in symbol (100), horizon (4), API key (50) and request id.
- `key` and `token` repeat one request.

The bare server and FastAPI with slowapi answer 565 bytes and send no rate-limit headers, count no usage and write no
log. `web` and `edge` answer a whole forecast of about 950 bytes with every header, limit, count and log rule on.

{loads}

Ratios:

{ratios}

Other figures:

{others}
"""


def write(loads: Loads, figures: Mapping[str, float], machine: str, page: Path | None) -> None:
    """Print the tables and, as the last line, one JSON object; replace the page where one is named."""
    ratios = ratios_of(loads)
    ratio_rows = [[name, f"{value:.2f}"] for name, value in ratios.items()]
    figure_rows = [[name, f"{value:.2f}"] for name, value in figures.items()]
    print_table("GET /api/v1/predict, one process each", LOAD_COLUMNS, _load_rows(loads))
    print_table("Ratios within this run", ("ratio", "measured"), ratio_rows)
    print_table("Other figures, milliseconds", ("figure", "measured"), figure_rows)
    if page is not None:
        page.write_text(_page(loads, ratios, figures, machine), encoding="utf-8")
    write_summary("api", ratios, {**figures_of(loads), **figures}, machine)


def _page(loads: Loads, ratios: Mapping[str, float], figures: Mapping[str, float], machine: str) -> str:
    return PAGE.format(
        machine=machine,
        rounds=len(next(iter(loads.values()))),
        loads=_markdown_table(LOAD_COLUMNS, _load_rows(loads)),
        ratios=_markdown_table(
            ("ratio", "bar", *[f"{count} connections" for count in CONNECTIONS]), _ratio_rows(ratios)
        ),
        others=_markdown_table(("figure", "bar, ms", "measured, ms"), _other_rows(figures)),
    )


def _load_rows(loads: Loads) -> list[list[str]]:
    rows = []
    for kind in KINDS:
        for count in CONNECTIONS:
            for name in SERVERS:
                case = loads[name, kind, count]
                latencies = [f"{median_of(case, figure):.1f}" for figure in ("p50_ms", "p95_ms")]
                speed, cpu = f"{median_of(case, 'per_second'):,.0f}", f"{median_of(case, 'cpu_us'):.0f}"
                rows.append([kind, str(count), name, speed, *latencies, cpu])
    return rows


def _ratio_rows(ratios: Mapping[str, float]) -> list[list[str]]:
    rows = []
    for name, other, bar, kinds in BARS:
        for kind in kinds:
            cells = [f"{ratios[ratio_name(name, other, kind, count)]:.2f}" for count in CONNECTIONS]
            rows.append([f"`{ratio_name(name, other, kind)}`", bar, *cells])
    return rows


def _other_rows(figures: Mapping[str, float]) -> list[list[str]]:
    return [
        [words, "" if bar is None else f"{bar:,}", f"{figures[name]:.0f}"]
        for name, (words, bar) in OTHER_FIGURES.items()
        if name in figures
    ]


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
