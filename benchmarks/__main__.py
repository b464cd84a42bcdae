"""Benchmarks: `python -m benchmarks NAME`; each has a database of its own and prints a table and one JSON object."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.frame import run_cases


def at_least(least: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """Return an argument type: a number of at least `least`."""

    def number(text: str) -> float:
        value = kind(text)
        if value < least:
            raise ArgumentTypeError(f"{text} is less than {least}")
        return value

    return number


def main() -> None:
    parser = ArgumentParser(prog="benchmarks", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True)
    api = names.add_parser("api", help="cached forecasts over HTTP next to FastAPI with slowapi and a bare server")
    api.add_argument("--seconds", type=at_least(1), default=5, help="duration of each turn (default: 5)")
    api.add_argument("--rounds", type=at_least(1), default=3, help="turns per server and kind of load (default: 3)")
    api.add_argument("--quick", action="store_true", help="skip the other reads and the outages")
    api.add_argument("--page", type=Path, help="write the tables to this Markdown file, such as docs/benchmarks.md")
    faults = names.add_parser("faults", help="kill -9 of each process of a demo: errors, recovery, losses")
    faults.add_argument("--rate", type=at_least(1, float), default=10.0, help="calls per second (default: 10)")
    faults.add_argument("--data", type=Path, help="folder of the demo, kept for the next time (default: temporary)")
    features = names.add_parser("features", help="feature computation next to a numba lower bound, TA-Lib and pandas")
    features.add_argument("--symbols", type=int, default=500)
    features.add_argument("--days", type=int, default=2_520)
    features.add_argument("--rounds", type=int, default=7)
    history = names.add_parser("history", help="reads of the track record next to summing its rows")
    history.add_argument("--rows", type=at_least(100_000), default=10_000_000, help="forecasts (default: 10,000,000)")
    ingest = names.add_parser("ingest", help="import and reads of bars next to COPY, bulk_create and the ORM")
    ingest.add_argument("--symbols", type=int, default=100)
    ingest.add_argument("--days", type=int, default=2_520)
    ingest.add_argument("--full", action="store_true", help="500 symbols over 20 years, 2.5 million bars")
    ledger = names.add_parser("ledger", help="verification of a ledger with its input blocks, heads and outcomes")
    ledger.add_argument("--rows", type=int, default=1_000_000)
    load = names.add_parser("load", help="mixed load at a share of the capacity, with restarts in its middle")
    load.add_argument("--minutes", type=at_least(0.5, float), default=10.0, help="duration (default: 10)")
    load.add_argument("--share", type=float, default=0.7, help="share of the capacity that is used (default: 0.7)")
    publish = names.add_parser("publish", help="publication next to a minimal implementation and a loop")
    publish.add_argument("--symbols", type=int, default=500)
    publish.add_argument("--days", type=int, default=800)
    publish.add_argument("--rounds", type=int, default=5)
    options = vars(parser.parse_args())
    name = options.pop("name")
    if name in ("faults", "features"):
        import_module(f"benchmarks.{name}").run(**options)
    else:
        run_cases(f"benchmarks.{name}_cases", **options)


if __name__ == "__main__":
    main()
