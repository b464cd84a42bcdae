"""`make bench-history`: how long the record takes to read beside ten million forecasts, and beside adding them up."""

import os
from argparse import ArgumentParser
from importlib import import_module

import django

from config import embedded
from config.embedded.places import ROOT


def main() -> None:
    parser = ArgumentParser(prog="bench-history", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="forecasts to store (default: 10,000,000)")
    options = parser.parse_args()
    if options.rows < 100_000:
        parser.error(f"--rows must be at least 100000, not {options.rows}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with embedded.provided(os.environ, ROOT / ".data" / "bench"):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module("benchmarks.history_cases").run(rows=options.rows)


if __name__ == "__main__":
    main()
