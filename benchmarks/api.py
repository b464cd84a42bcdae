"""`make bench-api`: the cached forecast over HTTP beside FastAPI and slowapi and a bare server; the other reads."""

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

from benchmarks.frame import FOLDER, run_cases
from config.devserver.paths import ROOT

PEERS = ROOT / "requirements" / "bench.txt"


def main() -> None:
    parser = ArgumentParser(prog="bench-api", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="how long each turn lasts (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="how many turns everybody gets (default: 3)")
    parser.add_argument("--quick", action="store_true", help="leave out the other reads and the outages")
    parser.add_argument("--page", type=Path, help="a Markdown file to write the tables to, such as docs/benchmarks.md")
    options = parser.parse_args()
    if options.seconds < 1 or options.rounds < 1:
        parser.error("--seconds and --rounds must be at least 1.")
    wrk = found_wrk()
    python = peers_python()
    run_cases(
        "benchmarks.api_cases",
        wrk=wrk,
        python=python,
        seconds=options.seconds,
        rounds=options.rounds,
        is_quick=options.quick,
        page=options.page,
    )


def found_wrk() -> str:
    """The load generator, installed from Debian's packages where that may be done."""
    if shutil.which("wrk") is None and shutil.which("apt-get") and os.geteuid() == 0:
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "wrk"]):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is needed (Debian: apt install wrk).")
    return found


def peers_python() -> Path:
    """The interpreter of the peers' own environment, which is made when the pins have changed."""
    folder = FOLDER / "peers"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_text() != PEERS.read_text():
        print("Installing FastAPI, slowapi and a server for them", file=sys.stderr)  # noqa: T201  # a command's own word
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(PEERS)], check=True)
        installed.write_text(PEERS.read_text())
    return python


if __name__ == "__main__":
    main()
