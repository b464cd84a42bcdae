"""`make bench-load`: a mixed load at 70 % of what the processes can do, with workers restarted in the middle."""

from argparse import ArgumentParser

from benchmarks.frame import run_cases


def main() -> None:
    parser = ArgumentParser(prog="bench-load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the load lasts (default: 10)")
    parser.add_argument("--share", type=float, default=0.7, help="share of the capacity that is used (default: 0.7)")
    options = parser.parse_args()
    if options.minutes < 0.5 or not 0 < options.share <= 1:
        parser.error("--minutes must be at least 0.5, and --share above 0 and at most 1.")
    run_cases("benchmarks.load_cases", seconds=60 * options.minutes, share=options.share)


if __name__ == "__main__":
    main()
