"""House rules for names and documents: standard terms, unique public names, described packages, short records."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.devserver.paths import ROOT
from config.tests.test_architecture import APPS, named_trees

VAGUE_WORDS = frozenset(
    {
        "told", "tell", "said", "asked", "kept", "held", "came", "whoever", "somebody", "nobody", "thing", "stuff",
        "happenings", "lessons", "sights", "desk", "tally", "places", "apart", "tied", "moods", "standing",
    }
)  # fmt: skip
NAMES_OF_DJANGO = {"decimal_places", "max_decimal_places"}
REQUIRED_BY_DJANGO = {"Command", "Meta", "Migration"}
DECISION_SECTIONS = ["Context", "Options", "Decision", "Consequences"]
LONGEST_DECISION = 60
LONGEST_DECISION_LINE = 120
LOOSE_MODULES_IN_CONFIG = 10
CLOCK_READS = {
    "time.sleep",
    "asyncio.sleep",
    "time.monotonic",
    "time.perf_counter",
    "sleep",
    "monotonic",
    "perf_counter",
}
# Gives other tasks of the event loop a turn.
YIELD = "asyncio.sleep(0)"
MAY_READ_THE_CLOCK = {"config/tests/waiting.py"}


def words_of(identifier: str) -> list[str]:
    """Split snake and camel case into lower-case words; `held_out` is one term."""
    separated = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", identifier).lower()
    return re.sub(r"held_?out", "holdout", separated).split("_")


def identifiers_of(tree: ast.Module) -> Iterator[str]:
    """Every identifier that a module defines or uses; keyword arguments are named by the called function."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.alias(name=name, asname=renamed):
                yield from name.split(".")
                yield renamed or ""


@pytest.mark.parametrize(
    ("identifier", "vague"),
    [
        ("told", True), ("_asked", True), ("WhatCame", True), ("heldLock", True), ("TOLD_CLOCK", True),
        ("held_out", False), ("heldout_rows", False), ("HeldOutRows", False), ("ask_price", False), ("holding", False),
        ("toldable", False), ("replaces", False),
    ],
)  # fmt: skip
def test_the_rule_splits_identifiers_into_words(identifier: str, vague: bool) -> None:
    assert bool(VAGUE_WORDS & set(words_of(identifier))) is vague


def test_identifiers_contain_no_vague_words() -> None:
    vague = {
        f"{name}: {identifier}"
        for name, tree in named_trees()
        for identifier in [*identifiers_of(tree), Path(name).stem]
        if identifier not in NAMES_OF_DJANGO and VAGUE_WORDS & set(words_of(identifier))
    }
    assert vague == set()


def test_a_public_name_is_defined_once_per_app() -> None:
    defined: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, tree in named_trees():
        app = name.split("/")[0]
        if app not in APPS or "/tests/" in name:
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                defined[app, node.name].append(name)
    assert len(defined) > 500
    repeated = {key: files for key, files in defined.items() if len(files) > 1 and key[1] not in REQUIRED_BY_DJANGO}
    assert repeated == {}


def test_every_package_describes_contents_and_importers() -> None:
    packages = {
        name: ast.get_docstring(tree) or ""
        for name, tree in named_trees()
        if name.endswith("__init__.py") and name.split("/")[0] in APPS and "/tests/" not in name
    }
    assert len(packages) > 30
    assert [name for name, docstring in packages.items() if len(docstring.splitlines()) < 3] == []


def test_config_has_few_loose_modules() -> None:
    loose = [path.name for path in (ROOT / "config").glob("*.py") if path.name != "__init__.py"]
    assert "pipelines.py" in loose
    assert len(loose) <= LOOSE_MODULES_IN_CONFIG


def test_tests_wait_for_events_and_not_for_the_clock() -> None:
    timed = [
        f"{name}:{node.lineno}"
        for name, tree in named_trees()
        if "/tests/" in name and name not in MAY_READ_THE_CLOCK
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCK_READS and ast.unparse(node) != YIELD
    ]
    assert timed == []


def test_decision_records_are_short_and_have_the_same_sections() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(records) > 20
    for record in records:
        lines = record.read_text().splitlines()
        sections = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
        assert (record.name, sections) == (record.name, DECISION_SECTIONS)
        assert (record.name, len(lines) <= LONGEST_DECISION) == (record.name, True)
        assert (record.name, max(map(len, lines)) <= LONGEST_DECISION_LINE) == (record.name, True)
