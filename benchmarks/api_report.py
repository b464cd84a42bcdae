"""How `benchmarks.api` tells what it measured."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import api_page
from benchmarks.api_turns import CONNECTIONS, MEANS, SERVERS, Loads, figures_of, middle, ratios_of
from benchmarks.frame import write_summary

WORDS = {
    "bare": "a bare ASGI server, 565 bytes",
    "fastapi": "FastAPI + slowapi + Redis",
    "web": "web (Granian, WSGI)",
    "edge": "edge (uvicorn, ASGI)",
}


def tell(loads: Loads, figures: dict[str, float], on: str, page: Path | None) -> None:
    """Print the tables and, as the last line, one JSON object; write the page anew where one is named."""
    console = Console(file=sys.stdout, width=120)
    console.print(_turns(loads))
    ratios = ratios_of(loads)
    for title, rows in (("Ratios within this run", ratios), ("Beside them, milliseconds", figures)):
        table = Table(title=title)
        table.add_column("what", no_wrap=True)
        table.add_column("measured", justify="right")
        for name, value in rows.items():
            table.add_row(name, f"{value:.2f}")
        console.print(table)
    if page is not None:
        api_page.write(page, loads, ratios, figures, on)
    write_summary("api", ratios, figures_of(loads) | figures, on)


def _turns(loads: Loads) -> Table:
    table = Table(title="GET /api/v1/predict, one process each, load from the same machine")
    for name in ("server", "by", "connections", "calls/s", "p50 ms", "p95 ms", "p99 ms", "CPU us/call"):
        table.add_column(name, justify="left" if name in ("server", "by") else "right", no_wrap=True)
    for count in CONNECTIONS:
        for means in MEANS:
            for name in SERVERS:
                turns = loads[name, means, count]
                speed, cpu = f"{middle(turns, 'per_second'):,.0f}", f"{middle(turns, 'cpu_us'):.0f}"
                latencies = [f"{middle(turns, figure):.1f}" for figure in ("p50_ms", "p95_ms", "p99_ms")]
                table.add_row(WORDS[name], means, str(count), speed, *latencies, cpu)
    return table
