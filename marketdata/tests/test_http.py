"""HTTP calls to vendors: results, failure kinds, retries, deadlines, redirects and redaction."""

import json
import logging
import socket
import threading
import traceback
from dataclasses import replace

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.http import Vendor, VendorError, get_json, redact
from marketdata.tests.slow_servers import BODY_DRIPS, HEADERS_DRIP, endless

KEY = "S3cr+t/Key"
# No busy machine is slower than this, so only tests with a shorter timeout see SLOW.
PATIENT_S = 60.0
FAILED = (ProviderUnavailable, ProviderRejected)


@pytest.fixture
def vendor(httpserver: HTTPServer) -> Vendor:
    return Vendor("vendor", httpserver.url_for("/"), timeout_s=PATIENT_S, secrets=(KEY,))


def fetch_error(vendor: Vendor, path: str = "/data") -> ProviderUnavailable | ProviderRejected:
    with pytest.raises(FAILED) as caught:
        get_json(vendor, path, {"apikey": KEY})
    assert isinstance(caught.value, FAILED)
    return caught.value


def request_count(httpserver: HTTPServer) -> int:
    return len(httpserver.log)


def test_json_is_returned(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data", query_string={"apikey": KEY}).respond_with_json({"price": 1})
    assert get_json(vendor, "/data", {"apikey": KEY}) == {"price": 1}


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
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
def test_status_decides_failure_kind_and_retries(
    vendor: Vendor, httpserver: HTTPServer, status: int, kind: FailureKind, attempts: int
) -> None:
    httpserver.expect_request("/data").respond_with_data("<html>no</html>", status=status)
    error = fetch_error(vendor)
    assert (error.kind, request_count(httpserver)) == (kind, attempts)
    assert isinstance(error, ProviderRejected) is (kind is FailureKind.BAD_KEY)


@pytest.mark.parametrize("body", ["", "<html>", '{"a": ', '{"a": NaN}', "[" * 100_000, "\xff\xfe"])
def test_invalid_json_is_malformed(vendor: Vendor, httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/data").respond_with_data(body)
    assert fetch_error(vendor).kind is FailureKind.MALFORMED


def test_error_body_outranks_status(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_json({"error": "quota"}, status=200)
    grumpy = replace(vendor, parse_error_body=lambda body: VendorError(FailureKind.QUOTA_SPENT, body["error"]))
    assert fetch_error(grumpy).reason == "quota exhausted (quota)"


def test_server_error_is_retried(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/data").respond_with_data("", status=503)
    httpserver.expect_ordered_request("/data").respond_with_json([1])
    assert get_json(vendor, "/data", {}) == [1]


def test_every_attempt_is_admitted(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_data("", status=503)
    admitted: list[int] = []

    def admit() -> None:
        if len(admitted) == 2:
            raise ProviderUnavailable("vendor", "enough", FailureKind.QUOTA_SPENT, attempted=False)
        admitted.append(1)

    with pytest.raises(ProviderUnavailable, match="enough"):
        get_json(vendor, "/data", {}, admit=admit)
    assert request_count(httpserver) == 2


def test_silent_vendor_times_out(vendor: Vendor, httpserver: HTTPServer) -> None:
    released = threading.Event()

    def late(request: Request) -> Response:
        released.wait(PATIENT_S)
        return Response("{}")

    httpserver.expect_request("/data").respond_with_handler(late)
    error = fetch_error(replace(vendor, timeout_s=0.3))
    released.set()
    assert (error.kind, error.reason) == (FailureKind.SLOW, "timed out after 0.3 s")


def test_response_after_the_deadline_is_slow(vendor: Vendor, httpserver: HTTPServer) -> None:
    now_s = [0.0]

    def late(request: Request) -> Response:
        now_s[0] += PATIENT_S + 1
        return Response("not JSON")

    httpserver.expect_request("/data").respond_with_handler(late)
    assert fetch_error(replace(vendor, clock=lambda: now_s[0])).kind is FailureKind.SLOW


def test_malformed_response_before_the_deadline_is_malformed(vendor: Vendor, httpserver: HTTPServer) -> None:
    now_s = [0.0]

    def in_time(request: Request) -> Response:
        now_s[0] += PATIENT_S - 1
        return Response("not JSON")

    httpserver.expect_request("/data").respond_with_handler(in_time)
    assert fetch_error(replace(vendor, clock=lambda: now_s[0])).kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    "start",
    [BODY_DRIPS, HEADERS_DRIP, b"HTTP/1.0 200 OK\r\n\r\n{}"],
    ids=["body", "headers", "no length"],
)
def test_dripping_response_is_cut_off(vendor: Vendor, start: bytes) -> None:
    with endless(start) as url:
        error = fetch_error(replace(vendor, base_url=url, timeout_s=0.7))
    assert (error.kind, error.reason) == (FailureKind.SLOW, "timed out after 0.7 s")


def test_closed_port_is_unreachable(vendor: Vendor) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = fetch_error(replace(vendor, base_url=f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert (error.kind, error.reason) == (FailureKind.UNREACHABLE, "unreachable")


def test_oversized_body_is_rejected(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_data(json.dumps("x" * 5_000))
    assert fetch_error(replace(vendor, max_body_bytes=1_000)).reason == "response exceeds 1,000 bytes"


@pytest.mark.parametrize("elsewhere", ["http://169.254.169.254/latest", "/other", "file:///etc/passwd"])
def test_redirects_are_not_followed(vendor: Vendor, httpserver: HTTPServer, elsewhere: str) -> None:
    httpserver.expect_request("/data").respond_with_data("", status=302, headers={"Location": elsewhere})
    httpserver.expect_request("/other").respond_with_json({"stolen": True})
    assert fetch_error(vendor).kind is FailureKind.MALFORMED
    assert {request.path for request, _ in httpserver.log} == {"/data"}


def test_retry_after_is_parsed(vendor: Vendor, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/data").respond_with_data("", status=429, headers={"Retry-After": "17"})
    error = fetch_error(vendor)
    assert isinstance(error, ProviderUnavailable)
    assert error.retry_after_s == 17.0


@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_key_appears_in_no_error_or_log(
    vendor: Vendor, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    words = f"We have detected your API key as {KEY} or {KEY.upper()} or S3cr%2Bt%2FKey."
    httpserver.expect_request("/data").respond_with_json({"Information": words}, status=status)
    chatty = replace(vendor, parse_error_body=lambda body: VendorError(FailureKind.MALFORMED, body["Information"]))
    with caplog.at_level(logging.DEBUG):
        error = fetch_error(chatty)
    output = "".join(traceback.format_exception(error)) + repr(error) + str(error.__context__) + repr(vendor)
    lines = "\n".join(record.getMessage() for record in caplog.records if record.name.split(".")[0] != "werkzeug")
    assert "We have detected your API key as [key]" in error.reason
    for form in (KEY, KEY.upper(), "S3cr%2Bt%2FKey"):
        assert form not in output
        assert form not in lines


def test_redaction_returns_one_short_line() -> None:
    assert redact("a\n\x00 b\tKEY1 key1", ("key1",)) == "a b [key] [key]"
    assert len(redact("x" * 500, ())) == 200
    assert redact("nothing to hide", ("",)) == "nothing to hide"
