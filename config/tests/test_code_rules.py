"""Faults that a linter cannot know: links from the Host header, formatted SQL, calls without a timeout, lost errors."""

import ast
from collections.abc import Iterator

import pytest

from config.tests.test_architecture import named_trees

HTTP_VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream", "urlopen", "urlretrieve"}
HTTP_MODULES = {"httpx", "requests", "urllib", "urllib3"}
SQL_CALLS = {"execute", "executemany", "raw", "RawSQL", "copy"}
BROAD = {"Exception", "BaseException"}
REPORTS = {"exception", "error", "warning", "critical", "capture_exception", "fail", "set_exception"}
# Reading the host is safe here: the settings list the hosts, and these pages are for the caller only.
HOST_FILES = {"config/http/page_context.py", "config/apidocs/pages.py", "config/apidocs/schema_cache.py"}


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for name, tree in named_trees():
        if "tests" not in name.split("/") and not name.startswith(("benchmarks/", "deploy/")):
            yield name, tree


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _is_constant(node: ast.expr) -> bool:
    """Whether the text comes from the source only: literals and names in capitals."""
    if isinstance(node, ast.JoinedStr):
        return all(_is_constant(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _is_constant(node.value)
    if isinstance(node, ast.BinOp):
        return _is_constant(node.left) and _is_constant(node.right)
    return isinstance(node, ast.Constant) or _last_name(node).lstrip("_").isupper()


def host_links(tree: ast.AST) -> list[int]:
    """Lines that read the Host header, of which a link could be made that an attacker chose."""
    names = {"build_absolute_uri", "get_host", "_get_raw_host"}
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in names]


def formatted_sql(tree: ast.AST) -> list[int]:
    """Lines that put values into SQL as text instead of passing them as parameters."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _last_name(node.func) in SQL_CALLS and node.args
        if isinstance(text := node.args[0], ast.JoinedStr | ast.BinOp)
        or (isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute)
            and text.func.attr == "format" and isinstance(text.func.value, ast.Constant))
        if not _is_constant(text)
    ]  # fmt: skip


def calls_without_timeout(tree: ast.AST) -> list[int]:
    """Lines that call another server and may wait forever."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in HTTP_VERBS and _first_name(node.func) in HTTP_MODULES
        if "timeout" not in {keyword.arg for keyword in node.keywords}
    ]


def lost_errors(tree: ast.AST) -> list[int]:
    """Lines that catch any error and neither raise nor report it nor look at it."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        if node.type is None or _last_name(node.type) in BROAD
        if not any(
            isinstance(inner, ast.Raise)
            or (isinstance(inner, ast.Call) and _last_name(inner.func) in REPORTS)
            or (isinstance(inner, ast.Name) and inner.id == node.name)
            for step in node.body
            for inner in ast.walk(step)
        )
    ]


def test_no_link_comes_from_the_host_header() -> None:
    assert [f"{name}:{line}" for name, tree in _sources() if name not in HOST_FILES for line in host_links(tree)] == []


@pytest.mark.parametrize("rule", [formatted_sql, calls_without_timeout, lost_errors])
def test_code_keeps_the_rule(rule: object) -> None:
    assert callable(rule)
    assert [f"{name}:{line}" for name, tree in _sources() for line in rule(tree)] == []


@pytest.mark.parametrize(
    ("rule", "fault", "sound"),
    [
        (host_links, "request.build_absolute_uri('/')", "settings.HINDCAST_SITE.site_url + '/'"),
        (formatted_sql, "cursor.execute(f'SELECT {name}')", "cursor.execute(f'SELECT {COLUMNS}', [name])"),
        (formatted_sql, "cursor.execute('SELECT %s' % name)", "cursor.execute('SELECT %s', [name])"),
        (formatted_sql, "cursor.execute('SELECT {}'.format(name))", "cursor.execute(SQL('SELECT {}').format(name))"),
        (calls_without_timeout, "httpx.get(url)", "httpx.get(url, timeout=3)"),
        (calls_without_timeout, "urllib.request.urlopen(url)", "urllib.request.urlopen(url, timeout=3)"),
        (lost_errors, "try: f()\nexcept Exception: pass", "try: f()\nexcept Exception: log.exception('f')"),
        (lost_errors, "try: f()\nexcept: g()", "try: f()\nexcept ValueError: pass"),
    ],
)
def test_rules_find_faults(rule: object, fault: str, sound: str) -> None:
    assert callable(rule)
    assert rule(ast.parse(fault)) != []
    assert rule(ast.parse(sound)) == []
