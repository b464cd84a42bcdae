"""`make bench-publish`: how fast forecasts are published, beside the least that does the same and a loop."""

from argparse import ArgumentParser

from benchmarks.frame import run_cases


def main() -> None:
    parser = ArgumentParser(prog="bench-publish", description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    run_cases("benchmarks.publish_cases", symbols=options.symbols, days=options.days, rounds=options.rounds)


if __name__ == "__main__":
    main()
