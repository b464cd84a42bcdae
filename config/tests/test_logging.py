"""Log lines: one JSON object each, one for each request, and never a secret."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from django.contrib.auth import get_user_model
from django.test import Client

from config.http.request_log import request_id_for
from config.observability.logging import HIDDEN, logging_config, redact_secrets
from config.observability.telemetry import strip_event


@contextmanager
def lines_of(log_format: str) -> Iterator[io.StringIO]:
    """Capture log output in the format of the processes."""
    formatter = logging_config(log_format, "INFO")["formatters"]["lines"].copy()
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(formatter.pop("()")(**formatter))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel("INFO")
    try:
        yield handler.stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def request_line(call: Callable[[], Any]) -> dict[str, Any]:
    with lines_of("json") as written:
        call()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    found = [line for line in lines if line["event"] == "request"]
    assert len(found) == 1
    return found[0]


def test_a_line_is_one_json_object() -> None:
    with lines_of("json") as written:
        structlog.get_logger("ours").info("forecast published", symbol="AAPL", note="two\nlines")
        logging.getLogger("theirs").warning("%s bars", 3)
    ours, theirs = [json.loads(line) for line in written.getvalue().splitlines()]
    assert (ours["event"], ours["symbol"], ours["level"], ours["logger"]) == (
        "forecast published",
        "AAPL",
        "info",
        "ours",
    )
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("3 bars", "warning")


def test_an_exception_is_in_the_line_of_its_message() -> None:
    with lines_of("json") as written:
        try:
            raise ValueError("bad")
        except ValueError:
            structlog.get_logger("ours").exception("failed")
    (line,) = written.getvalue().splitlines()
    assert "ValueError: bad" in json.loads(line)["exception"]


def test_console_lines_are_not_json() -> None:
    with lines_of("console") as written:
        structlog.get_logger("ours").info("forecast published", symbol="AAPL")
    assert "forecast published" in written.getvalue()
    assert "symbol=AAPL" in written.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"password": "hunter2"}, {"password": HIDDEN}),
        ({"Authorization": "opaque"}, {"Authorization": HIDDEN}),
        ({"X-API-Key": "abc", "n": 1}, {"X-API-Key": HIDDEN, "n": 1}),
        ({"inner": [{"access_token": "abc"}]}, {"inner": [{"access_token": HIDDEN}]}),
        ("postgres://me:hunter2@db:5432/x", f"postgres://me:{HIDDEN}@db:5432/x"),
        ("redis://:hunter2@db/0", f"redis://:{HIDDEN}@db/0"),
        ("GET /q?apikey=abc123&symbol=AAPL", f"GET /q?apikey={HIDDEN}&symbol=AAPL"),
        ("Authorization: Bearer abcdefghij.k", f"Authorization: Bearer {HIDDEN}"),
        ("Basic dXNlcjpwYXNz", f"Basic {HIDDEN}"),
        ("hc_live_0123456789 was used", f"hc_{HIDDEN} was used"),
        *((f"{name}=abc&n=1", f"{name}={HIDDEN}&n=1") for name in ("signature", "secret", "sessionid", "password")),
        ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0", HIDDEN),
        ({"tokens_used": 7, "symbol": "KEY"}, {"tokens_used": 7, "symbol": "KEY"}),
    ],
)
def test_secrets_are_redacted_by_name_and_by_pattern(value: Any, expected: Any) -> None:
    assert redact_secrets(value) == expected


@pytest.mark.django_db
def test_a_request_is_logged_in_one_line() -> None:
    line = request_line(
        lambda: Client(REMOTE_ADDR="203.0.113.77").get(
            "/health/live?token=hunter2", headers={"X-Request-ID": "abcd-1234", "Cookie": "sessionid=hunter3"}
        )
    )
    assert (line["method"], line["path"], line["route"], line["status"]) == ("GET", "/health/live", "health/live", 200)
    assert (line["client"], line["request_id"], line["user"]) == ("203.0.113.0/24", "abcd-1234", None)
    assert line["duration_ms"] >= 0
    assert "hunter" not in json.dumps(line)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/accounts/password/reset/key/3-dimw22-fb810ae48331/", f"/accounts/password/reset/key/{HIDDEN}/"),
        ("/accounts/confirm-email/Mg:1wX2yZ:abcDEF/", f"/accounts/confirm-email/{HIDDEN}/"),
    ],
)
def test_links_of_e_mails_are_redacted(path: str, shown: str) -> None:
    assert request_line(lambda: Client().get(path))["path"] == shown
    assert redact_secrets(f"Not Found: {path}") == f"Not Found: {shown}"


@pytest.mark.django_db
def test_a_request_is_logged_with_the_user_id_only() -> None:
    user = get_user_model().objects.create_user("person@example.org", "a long password")
    browser = Client()
    browser.force_login(user)
    line = request_line(lambda: browser.get("/alerts/"))
    assert line["user"] == user.pk
    assert "person@" not in json.dumps(line)


def test_a_log_line_needs_no_query() -> None:
    # This test may not use the database: a query for the user would fail it.
    assert request_line(lambda: Client().get("/api/schema"))["user"] is None


@pytest.mark.parametrize("offered", ["", "short", "x" * 65, "with space 1", "new\nline-000", "<script>00"])
def test_an_unsafe_request_id_is_replaced(offered: str) -> None:
    given = request_id_for(offered)
    assert given != offered
    assert len(given) == 32


def test_a_request_id_is_returned_and_unique() -> None:
    first, second = (Client().get("/health/live")["X-Request-ID"] for _ in range(2))
    assert first != second
    assert Client().get("/health/live", headers={"X-Request-ID": "given-001"})["X-Request-ID"] == "given-001"


def test_an_error_report_contains_no_user_and_no_secret() -> None:
    event: Any = {
        "user": {"email": "person@example.org"},
        "request": {
            "url": "http://h/api",
            "cookies": {"sessionid": "x"},
            "headers": {"Authorization": "x"},
            "data": "x",
        },
        "extra": {"dsn": "postgres://me:hunter2@db/x"},
    }
    assert strip_event(event, {}) == {"request": {"url": "http://h/api"}, "extra": {"dsn": HIDDEN}}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/api/v1/predict?symbol=AAPL", "/api/v1/symbols"])
def test_a_foreign_host_is_refused_with_one_warning(path: str) -> None:
    with lines_of("json") as written:
        answer = Client().get(path, headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    if path.startswith("/api/"):
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer["X-Request-ID"]
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (refused,) = [line for line in lines if line["event"] != "request"]
    assert refused["level"] == "warning"
    assert "elsewhere.example" in refused["event"]
    assert not any("exception" in line for line in lines)
