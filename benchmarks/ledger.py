"""`make bench-ledger`: how long a ledger takes to verify, with its input blocks, heads and outcomes."""

import os
from argparse import ArgumentParser
from importlib import import_module

import django

from config import embedded
from config.embedded.places import ROOT


def main() -> None:
    parser = ArgumentParser(prog="bench-ledger", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with embedded.provided(os.environ, ROOT / ".data" / "bench"):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module("benchmarks.ledger_cases").run(rows=options.rows)


if __name__ == "__main__":
    main()
