"""What the web image, which has no training libraries, must be able to do: start beat, read tasks, run commands."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from config.devserver.paths import ROOT
from config.devserver.training_libraries import TRAINING_LIBRARIES
from config.tests.waiting import wait_until

OUR_APPS = ("config", "accounts", "marketdata", "mlops", "predictions", "alerts")
COMMANDS = sorted(name for name, app in get_commands().items() if app in OUR_APPS)
NEED_TRAINING_LIBRARIES = {
    "check_leaks",
    "evaluate",
    "hindcast",
    "rebuild_accuracy",
    "run_pipeline",
    "timelapse",
    "train",
    "verify_ledger",
}
BLOCKER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
LOAD_COMMANDS = """
import sys
import django
from django.core.management import get_commands, load_command_class

django.setup()
for name in sys.argv[1:]:
    try:
        load_command_class(get_commands()[name], name).create_parser("manage.py", name).format_help()
    except ModuleNotFoundError:
        print(name)
"""
TASK_NAMES = "from config.celery import app; app.loader.import_default_modules(); print(*app.tasks)"


@pytest.fixture(scope="module")
def base_only(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which only requirements/base.txt can be imported."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCKER.format(blocked=set(TRAINING_LIBRARIES)))
    return {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
    }


def _locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))


def test_the_list_of_training_libraries_is_complete() -> None:
    only_there = _locked("ml") - _locked("base")
    modules = {
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if {name.lower().replace("_", "-") for name in distributions} <= only_there and module.isidentifier()
    }
    assert {module for module in modules if not module.startswith("_")} <= TRAINING_LIBRARIES
    installed_for_web = {name.replace("-", "_") for name in _locked("base")}
    assert not TRAINING_LIBRARIES & installed_for_web


def test_every_task_can_be_read(base_only: dict[str, str]) -> None:
    names = subprocess.run(
        [sys.executable, "-c", TASK_NAMES], env=base_only, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"config.after_close", "mlops.train_version", "predictions.score", "alerts.deliver_pending"} <= set(names)


def test_commands_that_cannot_run_there_are_listed(base_only: dict[str, str]) -> None:
    lines = subprocess.run(
        [sys.executable, "-c", LOAD_COMMANDS, *COMMANDS],
        env=base_only, cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert set(lines) == NEED_TRAINING_LIBRARIES


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_such_a_command_names_the_worker_image(arguments: list[str], base_only: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "train", *arguments],
        env=base_only, cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "docker compose run --rm worker python manage.py train" in done.stderr


def test_beat_starts(base_only: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "beat.log"
    with output.open("wb") as log:
        beat = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config.celery", "beat", "--pidfile="],
            env={**base_only, "HINDCAST_LOG_LEVEL": "INFO"}, cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: beat.poll() is not None or "beat: Starting" in output.read_text(), "beat to start")
        assert beat.poll() is None, output.read_text()
    finally:
        beat.terminate()
        beat.wait()
