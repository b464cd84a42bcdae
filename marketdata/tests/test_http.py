"""The HTTP layer against a stand-in that answers well, badly, slowly, elsewhere, or with the key in its mouth."""

import json
import logging
import socket
import time
import traceback
from dataclasses import replace

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.http import Vendor, VendorError, get_json, redact
from marketdata.tests.slow_servers import BODY_DRIPS, HEADERS_DRIP, endless

KEY = "S3cr+t/Key"
FAILED = (ProviderUnavailable, ProviderRejected)


@pytest.fixture
def vendor(httpserver: HTTPServer) -> Vendor:
    return Vendor("vendor", httpserver.url_for("/"), timeout_s=1.0, secrets=(KEY,))


def failure_of(vendor: Vendor, path: str = "/data") -> ProviderUnavailable | ProviderRejected:
    with pytest.raises(FAILED) as caught:
        get_json(vendor, path, {"apikey": KEY})
    assert isinstance(caught.value, FAILED)
    return caught.value


def tries(httpserver: HTTPServer) -> int:
    return len(httpserver.log)


def test_an_answer_is_read(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data", query_string={"apikey": KEY}).respond_with_json({"price": 1})
    assert get_json(vendor, "/data", {"apikey": KEY}) == {"price": 1}


@pytest.mark.parametrize(
    ("status", "kind", "asked"),
    [
        (401, FailureKind.BAD_KEY, 1),
        (403, FailureKind.BAD_KEY, 1),
        (404, FailureKind.MALFORMED, 1),
        (429, FailureKind.RATE_LIMITED, 1),
        (402, FailureKind.QUOTA_SPENT, 1),
        (500, FailureKind.UNREACHABLE, 3),
        (503, FailureKind.UNREACHABLE, 3),
        (504, FailureKind.SLOW, 1),
    ],
)
def test_a_status_says_what_is_the_matter_and_whether_to_try_again(
    vendor: Vendor, httpserver: HTTPServer, status: int, kind: FailureKind, asked: int
) -> None:
    httpserver.expect_request("/data").respond_with_data("<html>no</html>", status=status)
    error = failure_of(replace(vendor, timeout_s=5.0))
    assert (error.kind, tries(httpserver)) == (kind, asked)
    assert isinstance(error, ProviderRejected) is (kind is FailureKind.BAD_KEY)


@pytest.mark.parametrize("body", ["", "<html>", '{"a": ', '{"a": NaN}', "[" * 100_000, "\xff\xfe"])
def test_what_is_not_json_is_malformed(vendor: Vendor, httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/data").respond_with_data(body)
    assert failure_of(vendor).kind is FailureKind.MALFORMED


def test_a_body_outranks_its_status(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_json({"error": "quota"}, status=200)
    grumpy = replace(vendor, parse_error_body=lambda body: VendorError(FailureKind.QUOTA_SPENT, body["error"]))
    assert failure_of(grumpy).reason == "quota exhausted (quota)"


def test_a_hiccup_is_mended_by_another_try(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/data").respond_with_data("", status=503)
    httpserver.expect_ordered_request("/data").respond_with_json([1])
    assert get_json(vendor, "/data", {}) == [1]


def test_every_try_asks_to_be_admitted(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_data("", status=503)
    admitted: list[int] = []

    def admit() -> None:
        if len(admitted) == 2:
            raise ProviderUnavailable("vendor", "enough", FailureKind.QUOTA_SPENT, attempted=False)
        admitted.append(1)

    with pytest.raises(ProviderUnavailable, match="enough"):
        get_json(vendor, "/data", {}, admit=admit)
    assert tries(httpserver) == 2


def test_a_slow_vendor_is_left_at_the_deadline(vendor: Vendor, httpserver: HTTPServer) -> None:
    def late(request: Request) -> Response:
        time.sleep(2)
        return Response("{}")

    httpserver.expect_request("/data").respond_with_handler(late)
    started = time.monotonic()
    error = failure_of(replace(vendor, timeout_s=0.3))
    assert (error.kind, error.reason) == (FailureKind.SLOW, "timed out after 0.3 s")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("start", "after_s", "every_s"),
    [(BODY_DRIPS, 0, 0.05), (HEADERS_DRIP, 0, 0.05), (BODY_DRIPS, 0.5, 9), (b"HTTP/1.0 200 OK\r\n\r\n{}", 0, 0.05)],
    ids=["body", "headers", "late headers and no body", "no length"],
)
def test_a_dripping_vendor_is_left_at_the_deadline(
    vendor: Vendor, start: bytes, after_s: float, every_s: float
) -> None:
    with endless(start, after_s=after_s, every_s=every_s) as url:
        started = time.monotonic()
        error = failure_of(replace(vendor, base_url=url, timeout_s=0.7))
    assert (error.kind, error.reason) == (FailureKind.SLOW, "timed out after 0.7 s")
    assert time.monotonic() - started < 1.1


def test_nobody_there_and_a_reset_are_unreachable(vendor: Vendor) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure_of(replace(vendor, base_url=f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert (error.kind, error.reason) == (FailureKind.UNREACHABLE, "unreachable")


def test_a_body_beyond_the_limit_is_not_kept(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_data(json.dumps("x" * 5_000))
    assert failure_of(replace(vendor, max_body_bytes=1_000)).reason == "response exceeds 1,000 bytes"


@pytest.mark.parametrize("elsewhere", ["http://169.254.169.254/latest", "/other", "file:///etc/passwd"])
def test_nobody_is_led_elsewhere(vendor: Vendor, httpserver: HTTPServer, elsewhere: str) -> None:
    httpserver.expect_request("/data").respond_with_data("", status=302, headers={"Location": elsewhere})
    httpserver.expect_request("/other").respond_with_json({"stolen": True})
    assert failure_of(vendor).kind is FailureKind.MALFORMED
    assert {request.path for request, _ in httpserver.log} == {"/data"}


def test_how_long_to_wait_is_remembered(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_data("", status=429, headers={"Retry-After": "17"})
    error = failure_of(vendor)
    assert isinstance(error, ProviderUnavailable)
    assert error.retry_after_s == 17.0


@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_the_key_is_told_to_nobody(
    vendor: Vendor, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    words = f"We have detected your API key as {KEY} or {KEY.upper()} or S3cr%2Bt%2FKey."
    httpserver.expect_request("/data").respond_with_json({"Information": words}, status=status)
    chatty = replace(vendor, parse_error_body=lambda body: VendorError(FailureKind.MALFORMED, body["Information"]))
    with caplog.at_level(logging.DEBUG):
        error = failure_of(chatty)
    told = "".join(traceback.format_exception(error)) + repr(error) + str(error.__context__) + repr(vendor)
    lines = "\n".join(record.getMessage() for record in caplog.records if record.name.split(".")[0] != "werkzeug")
    assert "We have detected your API key as [key]" in error.reason
    for form in (KEY, KEY.upper(), "S3cr%2Bt%2FKey"):
        assert form not in told
        assert form not in lines


def test_redaction_leaves_one_short_line() -> None:
    assert redact("a\n\x00 b\tKEY1 key1", ("key1",)) == "a b [key] [key]"
    assert len(redact("x" * 500, ())) == 200
    assert redact("nothing to hide", ("",)) == "nothing to hide"
