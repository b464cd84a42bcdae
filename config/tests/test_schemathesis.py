"""Every check of schemathesis against the served site, by each sort of caller: examples, limits of every field, bad
input, chains of calls."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Scope
from accounts.tests.factories import family_of, key_of, person
from accounts.tokens import FAMILY_CLAIM
from config.tests.api_site import called_market, served_site

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# Examples by sort of caller, so that all of them together take a few minutes.
EXAMPLES = {"anonymous": 8, "key": 15, "token": 8}
LEAST_CALLS = 25
SEED = 20230921
# With a key the run would revoke its own key; a token reaches every operation.
LEFT_OUT = {"key": ["--exclude-operation-id", "revoke_api_key"]}
PLENTY = "1000000"
ROOM = {f"HINDCAST_LIMIT_{name}": PLENTY for name in ("ATTEMPTS_ADDRESS", "ATTEMPTS_ACCOUNT")}


def credentials_of(caller: str) -> str:
    """The header of user without limits who may do everything; empty for anonymous."""
    if caller == "anonymous":
        return ""
    user = person(plan_id="unlimited", is_staff=True)
    if caller == "key":
        return f"X-API-Key: {key_of(user, *Scope.values)[1]}"
    access = AccessToken()
    access.set_exp(lifetime=timedelta(hours=2))
    access[FAMILY_CLAIM] = family_of(user).pk.hex
    return f"Authorization: Bearer {access}"


@pytest.mark.parametrize("caller", EXAMPLES)
def test_schemathesis_finds_no_failure(tmp_path: Path, caller: str) -> None:
    called_market()
    shown = credentials_of(caller)
    header = ["--header", shown] if shown else []
    with served_site(tmp_path, ROOM) as address:
        program = Path(sys.executable).with_name("st")
        command = [str(program), "run", f"{address}/api/schema?format=json", "--url", address, "--no-color"]
        extent = ["--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful"]
        bounds = ["--max-examples", str(EXAMPLES[caller]), "--seed", str(SEED), "--generation-deterministic"]
        finished = subprocess.run(
            [*command, *extent, *bounds, "--continue-on-failure", *LEFT_OUT.get(caller, []), *header],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        if shown:
            name, _, value = shown.partition(": ")
            assert httpx.get(f"{address}/api/v1/auth/me", headers={name: value}).status_code == 200
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", finished.stdout)
    assert tested is not None
    assert int(tested[1]) >= LEAST_CALLS
