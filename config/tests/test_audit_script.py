"""The look-up of known vulnerabilities: found ones fail it, a service out of reach is told and fails nothing."""

import subprocess
from pathlib import Path

import pytest

from config.devserver.paths import ROOT

FOUND = "Found 1 known vulnerability in 1 package\nName Version ID\ndjango 5.2.0 CVE-2026-0001"
AWAY = "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='advisories.example', port=443)"


@pytest.mark.parametrize(
    ("said", "ends", "code", "told"),
    [
        ("No known vulnerabilities found", 0, 0, "ok      vulnerabilities of base"),
        (FOUND, 1, 1, "FAILED  vulnerabilities of base"),
        (AWAY, 1, 0, "skipped vulnerabilities: the service that knows them cannot be reached from here."),
        ("ERROR: a hash is missing", 1, 1, "a hash is missing"),
    ],
)
def test_what_is_known_decides(tmp_path: Path, said: str, ends: int, code: int, told: str) -> None:
    (tmp_path / "said").write_text(said)
    program = tmp_path / "pip-audit"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/said"\nexit {ends}\n')
    program.chmod(0o755)
    finished = subprocess.run([ROOT / "deploy" / "audit", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == code
    assert told in finished.stdout
