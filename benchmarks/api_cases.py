"""Cached forecasts over HTTP, compared with FastAPI + slowapi and a bare server; other reads."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from django.conf import settings

from benchmarks import api_reads, api_report
from benchmarks.api_load import Wrk
from benchmarks.api_rounds import Loads, measured_loads
from benchmarks.api_scene import Scene, prepared
from benchmarks.api_servers import Server, ours, peer
from benchmarks.frame import FOLDER, machine, own_database
from config.devserver.paths import ROOT

Figures = dict[str, float]
PEERS = ROOT / "requirements" / "bench.txt"


def run(*, seconds: int, rounds: int, quick: bool, page: Path | None) -> None:
    """Measure on a database of its own, print tables and, as the last line, one JSON object."""
    wrk, python, on = Wrk(wrk_program(), seconds), peers_python(), machine()
    folder = Path(settings.HINDCAST_SITE.data_dir) / "bench-api"
    folder.mkdir(parents=True, exist_ok=True)
    with own_database():
        loads, figures = _measured(wrk, python, prepared(folder), folder, rounds, is_quick=quick)
    api_report.write(loads, figures, on, page)


def _measured(
    wrk: Wrk, python: Path, scene: Scene, folder: Path, rounds: int, *, is_quick: bool
) -> tuple[Loads, Figures]:
    variables = scene.variables(folder)
    with _all_servers(python, variables, scene, folder) as servers:
        loads = measured_loads(wrk, servers, scene, rounds)
        figures: Figures = {}
        for name, (key_id, key) in scene.revocable.items():
            revoke = partial(api_reads.revoke, key_id)
            figures[f"revoked_{name}_ms"] = api_reads.revocation_ms(servers[name], scene, key, revoke)
        if not is_quick:
            figures |= api_reads.other_reads(wrk, servers["web"], scene)
            figures |= api_reads.with_an_empty_store(servers, scene)
    if not is_quick:
        figures |= api_reads.without_the_store(variables, folder, scene)
    return loads, figures


@contextmanager
def _all_servers(python: Path, variables: Mapping[str, str], scene: Scene, folder: Path) -> Iterator[dict[str, Server]]:
    peers = {"REDIS_URL": variables["REDIS_URL"], "PEER_KEYS": str(scene.key_file), "PEER_SECRET": scene.peer_secret}
    with ExitStack() as stack:
        yield {
            "bare": stack.enter_context(peer("bare", "bare", python, peers, folder)),
            "fastapi": stack.enter_context(peer("fastapi", "fastapi_app", python, peers, folder)),
            "web": stack.enter_context(ours("web", variables, folder)),
            "edge": stack.enter_context(ours("edge", variables, folder)),
        }


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
