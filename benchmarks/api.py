"""`make bench-api`: the cached forecast over HTTP, compared with FastAPI + slowapi and a bare server; other reads."""

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
    parser.add_argument("--seconds", type=int, default=5, help="duration of each turn (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="turns per server and kind of load (default: 3)")
    parser.add_argument("--quick", action="store_true", help="skip the other reads and the outages")
    parser.add_argument("--page", type=Path, help="write the tables to this Markdown file, such as docs/benchmarks.md")
    options = parser.parse_args()
    if options.seconds < 1 or options.rounds < 1:
        parser.error("--seconds and --rounds must be at least 1.")
    wrk = wrk_program()
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


def wrk_program() -> str:
    """Return the path of wrk; install it from Debian's packages when run by root."""
    if shutil.which("wrk") is None and shutil.which("apt-get") and os.geteuid() == 0:
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "wrk"]):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is not installed. Install it with: apt install wrk")
    return found


def peers_python() -> Path:
    """Return the interpreter of the peers' environment; rebuild that when its requirements have changed."""
    folder = FOLDER / "peers"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_text() != PEERS.read_text():
        sys.stderr.write("Installing FastAPI, slowapi and uvicorn for the comparison\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(PEERS)], check=True)
        installed.write_text(PEERS.read_text())
    return python


if __name__ == "__main__":
    main()
