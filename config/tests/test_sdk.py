"""Generated API clients against a running server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from config.devserver.paths import ROOT
from config.tests.api_site import called_market, served_site

pytestmark = pytest.mark.slow

SDK = ROOT / "deploy" / "sdk"
# What the generators are installed in is kept between runs; the clients are made anew.
FOLDER = ROOT / "build" / "sdk-test"
COMPILER = FOLDER / "typescript" / "node_modules" / ".bin" / "tsc"


@pytest.fixture
def address(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The served site, with the clients made from its schema."""
    called_market()
    shutil.rmtree(FOLDER / "python", ignore_errors=True)
    with served_site(tmp_path) as found:
        run([str(SDK / "generate"), f"{found}/api/schema?format=json", str(FOLDER)], PYTHON=sys.executable)
        # The generator leaves out operations it cannot read, with a warning only.
        assert "warning" not in (FOLDER / "python.log").read_text(encoding="utf-8").lower()
        yield found


def run(command: Sequence[str], folder: Path = ROOT, **variables: str) -> str:
    """Output of the command."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_generated_clients_work(address: str) -> None:
    program = [str(FOLDER / "env" / "bin" / "python"), str(SDK / "example.py"), address]
    output: dict[str, Any] = json.loads(run(program, PYTHONPATH=str(FOLDER / "python")))
    assert (output["symbol"], output["target_date"], output["range"]) == ("AAPL", "2023-09-28", [97.0, 107.0])
    assert (output["past"], output["bars"], output["found"][0]) == (10, 5, "AAPL")
    assert len(output["entries"]) == 2
    # Three stocks, 29 sessions each.
    assert output["scored"] == 87
    assert output["refused"] == [404, "/api/problems#unknown-symbol", ["AAPL"]]
    if COMPILER.exists():
        assert_typescript(address)


def assert_typescript(address: str) -> None:
    """The example passes the strict compiler, and its output calls the server."""
    place = FOLDER / "typescript"
    shutil.copy(SDK / "example.ts", place)
    run([str(COMPILER), "--project", "."], place)
    output: dict[str, Any] = json.loads(run(["node", "example.js", address], place))
    assert (output["symbol"], output["target_date"], output["price"]) == ("AAPL", "2023-09-28", 102)
    assert output["scored"] == 87
    assert output["refused"] == [404, "/api/problems#unknown-symbol"]
