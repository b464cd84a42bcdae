"""Servers, database and report of a benchmark."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import django
from django.db import connection
from rich.console import Console
from rich.table import Table

from config.devserver import servers
from config.devserver.paths import ROOT

Figures = Mapping[str, float]
FOLDER = ROOT / ".data" / "bench"
DATABASE = "hindcast_bench"


def run_cases(module: str, **options: Any) -> None:
    """Start missing servers, set up Django on them, and call the module's `run` with these options."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with servers.ensure_servers(os.environ, FOLDER, as_superuser=True):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module(module).run(**options)


@contextmanager
def own_database(name: str = DATABASE) -> Iterator[None]:
    """Create a database with the product's tables for the duration of the block."""
    connection.settings_dict["TEST"]["NAME"] = name
    former = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.close()
        connection.creation.destroy_test_db(former, verbosity=0)


def machine(*also: str) -> str:
    """Describe the machine and its load; call it before measuring."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = ", ".join((platform.machine(), platform.system(), f"Python {platform.python_version()}", *also))
    return f"{cores} cores, {system}, load average {os.getloadavg()[0]:.1f} before the run"


def report(
    bench: str,
    title: str,
    labels: Mapping[str, str],
    figures: Mapping[str, float],
    ratios: Mapping[str, float],
    on: str,
) -> None:
    """Print the labelled figures and the ratios as a table, and the summary."""
    print_table(
        title,
        ("figure", "measured"),
        [
            *((label, f"{figures[name]:,.{0 if figures[name] >= 100 else 3}f}") for name, label in labels.items()),
            *((name, f"{ratio:.2f}") for name, ratio in ratios.items()),
        ],
    )
    write_summary(bench, ratios, figures, on)


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose columns after the first are numbers."""
    table = Table(title=title)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(file=sys.stdout, width=120).print(table)


def write_summary(bench: str, ratios: Figures, figures: Figures, on: str) -> None:
    """Print one JSON object, the last line of a benchmark."""
    summary = {
        "bench": bench,
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "figures": {name: round(value, 5) for name, value in figures.items()},
        "machine": on,
    }
    sys.stdout.write(json.dumps(summary) + "\n")
