"""`make bench-ingest`: how fast bars are stored and read, beside raw COPY, bulk_create and the ORM."""

import os
from argparse import ArgumentParser
from importlib import import_module

import django

from config import embedded
from config.embedded.places import ROOT

FULL = (500, 5_040)


def main() -> None:
    parser = ArgumentParser(prog="bench-ingest", description=__doc__)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--days", type=int, default=2_520)
    parser.add_argument("--full", action="store_true", help="500 symbols over 20 years, 2.5 million bars")
    options = parser.parse_args()
    symbols, days = FULL if options.full else (options.symbols, options.days)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with embedded.provided(os.environ, ROOT / ".data" / "bench"):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module("benchmarks.ingest_cases").run(symbols=symbols, days=days)


if __name__ == "__main__":
    main()
