"""House rules that no other tool checks: sizes, names, mapped errors, tests that can fail, light processes."""

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from config.devserver.paths import ROOT
from config.http.problems import PROBLEMS

APPS = ("config", "accounts", "marketdata", "mlops", "predictions", "alerts", "store")
FOLDERS = (*APPS, "templates", "static", "benchmarks", "deploy")
LONGEST_FILE = 400
BANNED_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py", "services.py"}
LAZY_IMPORT_FILES = {"manage.py", "mlops/forecasting/models/catalog.py", "marketdata/sentiment/catalog.py"}
TRAINING_LIBRARIES = ("torch", "xgboost", "numba", "sklearn", "scipy", "skfolio", "transformers")
CHECKING_CALLS = ("assert_", "django_assert_", "expect", "raises", "warns", "fail")
ASKING_FOR_THE_TIME = {"timezone.now", "datetime.now", "datetime.utcnow", "date.today", "timezone.localdate"}
# The clock itself, and what is about this machine and a vendor's limits rather than about the market.
MAY_ASK_THE_TIME = {
    "accounts/wall_clock.py",
    "marketdata/clock.py",
    "marketdata/providers/gate.py",
    "marketdata/providers/x.py",
    "marketdata/services/rations.py",
}
NEVER_ANSWERED = {"config.devserver.errors"}


def _files(*suffixes: str) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if path.suffix in suffixes and not {"vendor", "migrations", "node_modules"} & set(parts):
                yield path


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in _files(".py"):
        yield path, ast.parse(path.read_text())


def test_imports_keep_the_layers() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    finished = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_no_hand_written_file_is_longer_than_it_may_be() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in _files(".py", ".html", ".js", ".css")}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    names = [_name(path) for path in _files(".py")]
    assert [name for name in names if Path(name).name in BANNED_NAMES] == []


def test_modules_say_what_they_hold() -> None:
    silent = [_name(path) for path, tree in _trees() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_imports_stand_at_the_top() -> None:
    inner = [
        f"{_name(path)}:{node.lineno}"
        for path, tree in _trees()
        if _name(path) not in LAZY_IMPORT_FILES
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inner == []


def test_only_the_clock_asks_for_the_time() -> None:
    asked = [
        f"{_name(path)}:{node.lineno}"
        for path, tree in _trees()
        if "tests" not in path.parts and _name(path).split("/")[0] in APPS and _name(path) not in MAY_ASK_THE_TIME
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (ast.unparse(node) in ASKING_FOR_THE_TIME)
    ]
    assert asked == []


def test_every_domain_error_has_an_answer() -> None:
    errors = {
        found
        for module in _error_modules()
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, Exception) and found.__module__ == module.__name__
    }
    bases = {base for error in errors for base in error.__mro__[1:]}
    unanswered = {f"{error.__module__}.{error.__name__}" for error in errors - bases - set(PROBLEMS)}
    assert len(errors) > 10
    assert unanswered == set()


def _error_modules() -> Iterator[ModuleType]:
    for path in _files(".py"):
        if path.name == "errors.py":
            module = _name(path).removesuffix(".py").replace("/", ".")
            if module not in NEVER_ANSWERED:
                yield import_module(module)


def test_every_test_can_fail() -> None:
    tests = [
        (f"{_name(path)}::{node.name}", node)
        for path, tree in _trees()
        if path.name.startswith("test_") and "tests" in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert len(tests) > 50
    assert [name for name, node in tests if not _checks_something(node)] == []


@pytest.mark.parametrize(
    ("source", "checks"),
    [
        ("def test_it():\n    assert f() == 1", True),
        ("def test_it():\n    with pytest.raises(ValueError):\n        f()", True),
        ("def test_it():\n    np.testing.assert_allclose(f(), 1)", True),
        ("def test_it():\n    np.isclose(f(), 1)", False),
        ("def test_it():\n    assert True", False),
        ("def test_it():\n    f()", False),
    ],
)
def test_the_rule_about_tests_knows_good_from_bad(source: str, checks: bool) -> None:
    function = ast.parse(source).body[0]
    assert _checks_something(function) is checks


def _checks_something(function: ast.AST) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call) and _called(node.func).startswith(CHECKING_CALLS):
            return True
    return False


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("entrance", ["config.wsgi", "config.edge.asgi"])
def test_web_processes_load_no_training_library(entrance: str) -> None:
    code = (
        f"import sys, {entrance}, config.urls\n"
        "from django.urls import get_resolver\n"
        "get_resolver().url_patterns\n"
        f"print([name for name in {TRAINING_LIBRARIES} if name in sys.modules])"
    )
    variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split("\n")[-2] == "[]"
