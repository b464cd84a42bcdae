"""`make bench-history`: how long the record takes to read beside ten million forecasts, and beside adding them up."""

from argparse import ArgumentParser

from benchmarks.frame import run_cases


def main() -> None:
    parser = ArgumentParser(prog="bench-history", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="forecasts to store (default: 10,000,000)")
    options = parser.parse_args()
    if options.rows < 100_000:
        parser.error(f"--rows must be at least 100000, not {options.rows}.")
    run_cases("benchmarks.history_cases", rows=options.rows)


if __name__ == "__main__":
    main()
