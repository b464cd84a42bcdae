"""What every benchmark stands in: its servers and settings, a database of its own, the line that sums it up."""

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import django
from django.db import connection

from config.devserver import servers
from config.devserver.paths import ROOT

FOLDER = ROOT / ".data" / "bench"
DATABASE = "hindcast_bench"


def run_cases(module: str, **options: Any) -> None:
    """Start missing servers, set up Django on them, and call the module's `run` with these options."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with servers.ensure_servers(os.environ, FOLDER):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module(module).run(**options)


@contextmanager
def own_database(name: str = DATABASE) -> Iterator[None]:
    """A new, empty database with the product's tables, and none of it afterwards."""
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


def write_summary(bench: str, ratios: Mapping[str, float], figures: Mapping[str, float], on: str) -> None:
    """The last line of a benchmark: one JSON object."""
    summary = {
        "bench": bench,
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "figures": {name: round(value, 5) for name, value in figures.items()},
        "machine": on,
    }
    sys.stdout.write(json.dumps(summary) + "\n")
