"""`make bench-load`: a mixed load at 70 % of what the processes can do, with workers restarted in the middle."""

import os
from argparse import ArgumentParser
from importlib import import_module

import django

from config import embedded
from config.embedded.places import ROOT


def main() -> None:
    parser = ArgumentParser(prog="bench-load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the load lasts (default: 10)")
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity, how much is asked (default: 0.7)")
    options = parser.parse_args()
    if options.minutes < 0.5 or not 0 < options.share <= 1:
        parser.error("--minutes must be at least 0.5, and --share above 0 and at most 1.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
    with embedded.provided(os.environ, ROOT / ".data" / "bench"):
        # Settings, and with them everything else, read the addresses that the line above provides.
        django.setup()
        import_module("benchmarks.load_cases").run(seconds=60 * options.minutes, share=options.share)


if __name__ == "__main__":
    main()
