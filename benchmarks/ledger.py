"""`make bench-ledger`: how long a ledger takes to verify, with its input blocks, heads and outcomes."""

from argparse import ArgumentParser

from benchmarks.frame import run_cases


def main() -> None:
    parser = ArgumentParser(prog="bench-ledger", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    run_cases("benchmarks.ledger_cases", rows=options.rows)


if __name__ == "__main__":
    main()
