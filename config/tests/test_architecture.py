"""House rules that no other tool checks: sizes, mapped errors, tests that can fail, light processes."""

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
LAZY_IMPORT_FILES = {
    "manage.py", "mlops/forecasting/models/catalog.py", "marketdata/sentiment/catalog.py",
    # Web and beat read tasks without the training libraries.
    "config/tasks.py", "mlops/tasks.py", "predictions/tasks.py",
}  # fmt: skip
TRAINING_LIBRARIES = ("torch", "xgboost", "numba", "sklearn", "scipy", "skfolio", "transformers")
CHECKING_CALLS = ("assert_", "django_assert_", "expect", "raises", "warns", "fail", "wait_until")
TIME_CALLS = {"timezone.now", "datetime.now", "datetime.utcnow", "date.today", "timezone.localdate"}
# The clock itself, and code about this machine or a vendor's limits rather than about the market.
MAY_READ_REAL_TIME = {
    "accounts/wall_clock.py",
    "marketdata/clock.py",
    "marketdata/providers/budget.py",
    "marketdata/providers/x.py",
    "marketdata/providers/quote_quota.py",
}
NOT_HTTP = {"config.devserver.errors"}


def _files(*suffixes: str) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if path.suffix in suffixes and not {"vendor", "migrations", "node_modules"} & set(parts):
                yield path


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def named_trees() -> Iterator[tuple[str, ast.Module]]:
    """Path from the root and syntax tree of every module."""
    for path in _files(".py"):
        yield _name(path), ast.parse(path.read_text())


def test_imports_keep_the_layers() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    finished = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_hand_written_files_are_short() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in _files(".py", ".html", ".js", ".css")}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_file_names_are_specific() -> None:
    names = [_name(path) for path in _files(".py")]
    assert [name for name in names if Path(name).name in BANNED_NAMES] == []


def test_modules_have_docstrings() -> None:
    undocumented = [name for name, tree in named_trees() if tree.body and not ast.get_docstring(tree)]
    assert undocumented == []


def test_imports_are_at_the_top() -> None:
    inner = [
        f"{name}:{node.lineno}"
        for name, tree in named_trees()
        if name not in LAZY_IMPORT_FILES
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inner == []


def test_only_the_clock_reads_the_time() -> None:
    reads = [
        f"{name}:{node.lineno}"
        for name, tree in named_trees()
        if "/tests/" not in name and name.split("/")[0] in APPS and name not in MAY_READ_REAL_TIME
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (ast.unparse(node) in TIME_CALLS)
    ]
    assert reads == []


def test_every_domain_error_maps_to_a_response() -> None:
    errors = {
        found
        for module in _error_modules()
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, Exception) and found.__module__ == module.__name__
    }
    bases = {base for error in errors for base in error.__mro__[1:]}
    unmapped = {f"{error.__module__}.{error.__name__}" for error in errors - bases - set(PROBLEMS)}
    assert len(errors) > 10
    assert unmapped == set()


def _error_modules() -> Iterator[ModuleType]:
    for path in _files(".py"):
        if path.name == "errors.py":
            module = _name(path).removesuffix(".py").replace("/", ".")
            if module not in NOT_HTTP:
                yield import_module(module)


def test_every_test_can_fail() -> None:
    tests = [
        (f"{name}::{node.name}", node)
        for name, tree in named_trees()
        if "/tests/test_" in name
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
def test_the_rule_about_tests_separates_good_from_bad(source: str, checks: bool) -> None:
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


@pytest.mark.parametrize("entry_point", ["config.wsgi", "config.edge.asgi"])
def test_web_processes_load_no_training_library(entry_point: str) -> None:
    code = (
        f"import sys, {entry_point}, config.urls\n"
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
