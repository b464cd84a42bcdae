"""What a number was computed with is told by name and version."""

from importlib import metadata
from pathlib import Path

import numpy as np
import xgboost

from mlops.forecasting.toolchain import source_digest, toolchain


def test_versions_are_those_that_are_installed() -> None:
    told = toolchain()
    assert (told["numpy"], told["xgboost"]) == (np.__version__, xgboost.__version__)
    assert told["torch"] == metadata.version("torch")
    assert "not installed" not in told.values()


def test_the_digest_follows_the_code_and_not_its_tests(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    code, test = tmp_path / "a.py", tmp_path / "tests" / "test_a.py"
    code.write_text("x = 1\n")
    test.write_text("y = 1\n")
    digest = source_digest(tmp_path)
    test.write_text("y = 2\n")
    assert source_digest(tmp_path) == digest
    code.write_text("x = 2\n")
    assert source_digest(tmp_path) != digest
    assert len(digest) == 16
