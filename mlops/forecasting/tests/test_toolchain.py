"""The toolchain names all libraries with their versions."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import xgboost

from mlops.forecasting.toolchain import NOT_SERVING, source_digest, toolchain

ROOT = Path(__file__).parents[3]


def test_versions_are_those_that_are_installed() -> None:
    shown = toolchain()
    assert (shown["numpy"], shown["xgboost"]) == (np.__version__, xgboost.__version__)
    assert shown["torch"] == metadata.version("torch")
    assert "not installed" not in shown.values()


def test_the_digest_follows_the_serving_code(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    code, test, learns = tmp_path / "a.py", tmp_path / "tests" / "test_a.py", tmp_path / "fitting.py"
    code.write_text("x = 1\n")
    digest = source_digest(tmp_path)
    for left_out in (test, learns):
        left_out.write_text("y = 2\n")
    assert source_digest(tmp_path) == digest
    code.write_text("x = 2\n")
    assert source_digest(tmp_path) != digest
    assert len(digest) == 16


LOADED = """
import sys
import mlops.forecasting.serving, mlops.forecasting.storage
import mlops.forecasting.models.lstm_member, mlops.forecasting.models.xgboost_quantiles
print(*[name for name in sys.modules if name.startswith("mlops.forecasting.")])
"""


def test_nothing_that_serves_is_left_out_of_the_digest() -> None:
    shown = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = shown.stdout.split()
    assert len(loaded) > 20
    assert [name for name in loaded if not NOT_SERVING.isdisjoint(name.split("."))] == []
