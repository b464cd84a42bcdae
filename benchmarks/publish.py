"""`make bench-publish`: how fast forecasts are published, beside the least that does the same and a loop."""

import os
from argparse import ArgumentParser
from importlib import import_module

import django

from config import embedded
from config.embedded.places import ROOT


def main() -> None:
    parser = ArgumentParser(prog="bench-publish", description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with embedded.provided(os.environ, ROOT / ".data" / "bench"):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module("benchmarks.publish_cases").run(symbols=options.symbols, days=options.days, rounds=options.rounds)


if __name__ == "__main__":
    main()
