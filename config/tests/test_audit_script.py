"""The vulnerability audit: findings fail it, an unreachable service is reported and fails nothing."""

import subprocess
from pathlib import Path

import pytest

from config.devserver.paths import ROOT

FOUND = "Found 1 known vulnerability in 1 package\nName Version ID\ndjango 5.2.0 CVE-2026-0001"
UNREACHABLE = "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='advisories.example', port=443)"


@pytest.mark.parametrize(
    ("output", "exit_code", "expected_code", "expected_text"),
    [
        ("No known vulnerabilities found", 0, 0, "ok      vulnerabilities of base"),
        (FOUND, 1, 1, "FAILED  vulnerabilities of base"),
        (UNREACHABLE, 1, 0, "skipped vulnerabilities: the advisory service cannot be reached."),
        ("ERROR: a hash is missing", 1, 1, "a hash is missing"),
    ],
)
def test_only_findings_and_errors_fail(
    tmp_path: Path, output: str, exit_code: int, expected_code: int, expected_text: str
) -> None:
    (tmp_path / "output").write_text(output)
    program = tmp_path / "pip-audit"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/output"\nexit {exit_code}\n')
    program.chmod(0o755)
    finished = subprocess.run([ROOT / "deploy" / "audit", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == expected_code
    assert expected_text in finished.stdout
