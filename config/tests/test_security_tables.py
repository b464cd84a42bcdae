"""`docs/security.md` lists every requirement of both standards once and names tests that exist."""

import ast
import re
from functools import cache

from config.devserver.paths import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text()
# Number of requirements of levels 1 and 2 in each section; those of level 3 come after them.
REQUIREMENTS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
    "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
    "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip


@cache
def functions_in(path: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_requirement_is_listed_once() -> None:
    expected = sorted(
        f"V{section}.{number}" for section, count in REQUIREMENTS.items() for number in range(1, count + 1)
    )
    rows = "\n".join(line for line in DOCUMENT.splitlines() if line.startswith("| V"))
    listed = sorted(re.findall(r"V\d+\.\d+\.\d+", "\n".join(line.split("|")[1] for line in rows.splitlines())))
    assert listed == expected


def test_every_api_risk_is_listed_once() -> None:
    assert re.findall(r"^\| API(\d+) ", DOCUMENT, re.MULTILINE) == [str(number) for number in range(1, 11)]


def test_every_named_test_exists() -> None:
    named = re.findall(r"`([a-z]\w*(?:/\w+)+\.py)::(test_\w+)`", DOCUMENT)
    assert len(named) > 150
    assert [f"{path}::{name}" for path, name in named if name not in functions_in(path)] == []


def test_every_met_requirement_names_a_test() -> None:
    met = DOCUMENT.split("levels 1 and 2: met")[1].split("## Not met")[0]
    rows = [line for line in met.splitlines() if line.startswith("| V")]
    assert [row for row in rows if "::test_" not in row] == []
