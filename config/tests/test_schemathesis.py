"""Every check of schemathesis against the served site: examples, limits of every field, bad input, chains of calls."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.api_site import called_market, served_site

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

EXAMPLES = 15
LEAST_CALLS = 25
SEED = 20230921
ROOM = {"HINDCAST_LIMIT_ANONYMOUS": "1000000"}


def test_no_check_fails(tmp_path: Path) -> None:
    called_market()
    with served_site(tmp_path, ROOM) as address:
        program = Path(sys.executable).with_name("st")
        command = [str(program), "run", f"{address}/api/schema?format=json", "--url", address, "--no-color"]
        extent = ["--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful"]
        bounds = ["--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-deterministic"]
        finished = subprocess.run(
            [*command, *extent, *bounds, "--continue-on-failure"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", finished.stdout)
    assert tested is not None
    assert int(tested[1]) >= LEAST_CALLS
