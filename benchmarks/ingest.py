"""`make bench-ingest`: import and read speed of bars, compared with raw COPY, bulk_create and the ORM."""

from argparse import ArgumentParser

from benchmarks.frame import run_cases

FULL = (500, 5_040)


def main() -> None:
    parser = ArgumentParser(prog="bench-ingest", description=__doc__)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--days", type=int, default=2_520)
    parser.add_argument("--full", action="store_true", help="500 symbols over 20 years, 2.5 million bars")
    options = parser.parse_args()
    symbols, days = FULL if options.full else (options.symbols, options.days)
    run_cases("benchmarks.ingest_cases", symbols=symbols, days=days)


if __name__ == "__main__":
    main()
