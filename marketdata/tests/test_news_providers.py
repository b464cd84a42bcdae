"""Sources of news against stand-ins that replay recordings: what they read, how they fail, what they never tell."""

import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketdata.errors import ProviderRejected, ProviderUnavailable
from marketdata.providers.news_base import Failure, NewsRejected, NewsUnavailable
from marketdata.providers.news_catalog import news_providers_of
from marketdata.providers.newsapi import LONGEST_QUERY, query_for
from marketdata.sentiment.matching import Company
from marketdata.tests.news_factories import NETFLIX, PATHS, RECORDINGS, SECRET, SINCE, news_settings, recording, source

VENDORS = tuple(PATHS)
Answer = Callable[[Request], Response]


def serve(server: HTTPServer, vendor: str, answer: Answer) -> None:
    """Let the stand-in answer the vendor's question; Reddit hands out a token first."""
    server.expect_request(PATHS[vendor]).respond_with_handler(answer)
    if vendor == "reddit":
        server.expect_request("/api/v1/access_token").respond_with_json(
            {"access_token": "t", "expires_in": 3600, "scope": "*"}
        )


def replies(body: object, status: int = 200) -> Answer:
    return lambda request: Response(json.dumps(body), status, content_type="application/json")


def raw(body: bytes | str, status: int = 200) -> Answer:
    return lambda request: Response(body, status, content_type="text/html")


@pytest.fixture
def base_url(httpserver: HTTPServer) -> str:
    return httpserver.url_for("").rstrip("/")


def failure_from(vendor: str, base_url: str, timeout_s: float = 2.0) -> Failure:
    with pytest.raises((NewsUnavailable, NewsRejected)) as caught:
        source(vendor, base_url, timeout_s=timeout_s).fetch_news(NETFLIX, since=SINCE)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    error = caught.value
    assert isinstance(error, NewsUnavailable | NewsRejected)
    return error.failure


@pytest.mark.parametrize(
    ("vendor", "titles"),
    [
        (
            "newsapi",
            [
                "Netflix beats profit estimates as subscribers surge",
                "Netflix beats profit estimates as subscribers surge - Sample Post",
                "Netflix shares plunge after regulators open probe",
                "[Removed]",
                "Ten films for a rainy weekend",
            ],
        ),
        (
            "alpha_vantage",
            [
                "Netflix beats profit estimates as subscribers surge",
                "Studios weigh new prices for streaming",
                "Ten stocks in one minute",
            ],
        ),
        ("reddit", ["$NFLX earnings blew past estimates, record subscribers", "Netflix down badly on the probe"]),
        ("x", ["$NFLX soaring after a record quarter", "Selling my Netflix, layoffs coming"]),
    ],
)
def test_a_recorded_reply_is_read(httpserver: HTTPServer, base_url: str, vendor: str, titles: list[str]) -> None:
    serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    found = source(vendor, base_url).fetch_news(NETFLIX, since=SINCE)
    assert [one.title for one in found] == titles
    assert {one.is_social for one in found} == {vendor in ("reddit", "x")}
    assert all(one.published_at.tzinfo is UTC for one in found)


def test_newsapi_is_asked_with_the_key_in_a_header_only(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "newsapi", replies(recording("newsapi_everything")))
    first = source("newsapi", base_url).fetch_news(NETFLIX, since=SINCE)[0]
    (request, _), *_ = httpserver.log
    assert request.headers["X-Api-Key"] == SECRET
    assert SECRET not in request.url
    assert request.args["q"].startswith('("Netflix") AND (stock OR')
    assert (request.args["from"], request.args["language"]) == ("2023-03-24T12:00:00", "en")
    assert (first.source, first.published_at) == ("Example Times", datetime(2023, 3, 30, 13, 5, tzinfo=UTC))


def test_alpha_vantage_gives_its_own_view_of_the_company(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "alpha_vantage", replies(recording("alpha_vantage_news")))
    first, second, third = source("alpha_vantage", base_url).fetch_news(NETFLIX, since=SINCE)
    (request, _), *_ = httpserver.log
    assert (request.args["function"], request.args["tickers"]) == ("NEWS_SENTIMENT", "NFLX")
    assert request.args["time_from"] == "20230324T1200"
    assert (first.vendor_relevance, first.vendor_score) == (0.8, 0.42)
    assert (second.vendor_relevance, second.vendor_score) == (0.6, -0.05)
    assert (third.vendor_relevance, third.vendor_score) == (0.04, 0.9)
    assert first.published_at == datetime(2023, 3, 30, 13, 5, tzinfo=UTC)


def test_alpha_vantage_writes_share_classes_with_a_dash(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "alpha_vantage", replies({"items": "0", "feed": []}))
    company = Company("BRK.B", "Berkshire Hathaway Inc. Class B")
    assert source("alpha_vantage", base_url).fetch_news(company, since=SINCE) == []
    (request, _), *_ = httpserver.log
    assert request.args["tickers"] == "BRK-B"


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (
            {"Note": "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute."},
            "RATE_LIMITED",
        ),
        ({"Information": "Our standard API rate limit is 25 requests per day. Please subscribe."}, "QUOTA_SPENT"),
        (
            {"Information": f"We have detected your API key as {SECRET} and our limit is 25 requests per day."},
            "QUOTA_SPENT",
        ),
        (
            {"Information": "Please consider spreading out your free API requests (1 request per second)."},
            "RATE_LIMITED",
        ),
        ({"Error Message": f"the parameter apikey {SECRET} is invalid or missing."}, "BAD_KEY"),
        ({"Information": "Invalid inputs. Please refer to the API documentation and try again."}, "UNKNOWN_SYMBOL"),
        ({"Information": "This is a premium endpoint."}, "BAD_KEY"),
        ({}, "MALFORMED"),
        ({"feed": "none"}, "MALFORMED"),
        ([1, 2], "MALFORMED"),
    ],
)
def test_alpha_vantage_refuses_in_a_200(httpserver: HTTPServer, base_url: str, body: object, failure: str) -> None:
    serve(httpserver, "alpha_vantage", replies(body))
    assert failure_from("alpha_vantage", base_url) is Failure[failure]


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (401, "apiKeyInvalid", "BAD_KEY"),
        (401, "apiKeyDisabled", "BAD_KEY"),
        (429, "rateLimited", "RATE_LIMITED"),
        (429, "apiKeyExhausted", "QUOTA_SPENT"),
        (426, "parameterInvalid", "REFUSED"),
        (400, "parametersMissing", "REFUSED"),
        (200, "maximumResultsReached", "QUOTA_SPENT"),
        (200, "unexpectedError", "BROKEN"),
    ],
)
def test_newsapi_names_its_refusals(
    httpserver: HTTPServer, base_url: str, status: int, code: str, failure: str
) -> None:
    body = {"status": "error", "code": code, "message": f"Your API key {SECRET} ..."}
    serve(httpserver, "newsapi", replies(body, status))
    assert failure_from("newsapi", base_url) is Failure[failure]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        (replies({"message": "too many"}, 429), {Failure.RATE_LIMITED}),
        (replies({"title": "Unauthorized"}, 401), {Failure.BAD_KEY}),
        (raw("", 200), {Failure.MALFORMED}),
        (raw("<html><body>Oops</body></html>", 200), {Failure.MALFORMED}),
        (raw('{"status": "ok", "articles": [{"title": "Netfl', 200), {Failure.MALFORMED}),
        (raw("null"), {Failure.MALFORMED}),
        (replies({}), {Failure.MALFORMED}),
    ],
    ids=["429", "401", "empty", "html", "truncated", "null", "nothing"],
)
def test_every_source_fails_in_the_same_words(
    httpserver: HTTPServer, base_url: str, vendor: str, answer: Answer, failures: set[Failure]
) -> None:
    serve(httpserver, vendor, answer)
    assert failure_from(vendor, base_url) in failures


@pytest.mark.parametrize("vendor", ["newsapi", "alpha_vantage", "x"])
def test_an_error_of_the_vendor_is_tried_once_more(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
    serve(httpserver, vendor, raw("<h1>Bad gateway</h1>", 502))
    assert failure_from(vendor, base_url) is Failure.BROKEN
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_slow_source_is_given_up_in_time(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
    done = threading.Event()

    def wait(request: Request) -> Response:
        done.wait(10)
        return Response("{}")

    serve(httpserver, vendor, wait)
    started = time.monotonic()
    try:
        assert failure_from(vendor, base_url, timeout_s=0.5) is Failure.SLOW
        assert time.monotonic() - started < 3
    finally:
        done.set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_source_that_drips_is_given_up_in_time(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
    def drip(request: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            for _ in range(50):
                time.sleep(0.1)
                yield b" "

        return Response(pieces(), content_type="application/json")

    serve(httpserver, vendor, drip)
    started = time.monotonic()
    assert failure_from(vendor, base_url, timeout_s=0.6) is Failure.SLOW
    assert time.monotonic() - started < 2


@contextmanager
def resetting() -> Iterator[str]:
    """A server that takes every call and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def hang_up() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.recv(1)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_connection_that_breaks_is_told(vendor: str) -> None:
    with resetting() as url:
        started = time.monotonic()
        assert failure_from(vendor, url, timeout_s=1.5) in (Failure.UNREACHABLE, Failure.SLOW)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("vendor", VENDORS)
def test_items_of_any_other_shape_are_left_out(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
    strange: list[object] = [
        None,
        7,
        "x",
        [],
        {},
        {"title": 5, "url": None},
        {"id": {}, "text": [], "created_at": 9e99},
    ]
    body = {
        "newsapi": {"status": "ok", "articles": strange},
        "alpha_vantage": {
            "feed": [
                *strange,
                {"title": "a", "url": "b", "time_published": "20230330T1305", "ticker_sentiment": [None, 3]},
            ]
        },
        "x": {"data": strange, "meta": {}},
        "reddit": {
            "kind": "Listing",
            "data": {"after": None, "children": [{"kind": "t3", "data": {"id": "q", "title": None}}]},
        },
    }[vendor]
    serve(httpserver, vendor, replies(body))
    assert len(source(vendor, base_url).fetch_news(NETFLIX, since=SINCE)) == (vendor == "alpha_vantage")


def test_x_without_posts_is_an_empty_answer(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "x", replies({"meta": {"result_count": 0}}))
    assert source("x", base_url).fetch_news(NETFLIX, since=SINCE) == []


def test_x_tells_when_its_cap_is_reached(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "x", replies({"title": "UsageCapExceeded", "detail": "..."}, 429))
    assert failure_from("x", base_url) is Failure.QUOTA_SPENT


def test_no_key_reaches_a_log_or_a_repr(
    httpserver: HTTPServer, base_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for vendor in VENDORS:
        serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    with caplog.at_level(logging.DEBUG):
        providers = news_providers_of(news_settings(base_url))
        for provider in providers:
            provider.fetch_news(NETFLIX, since=SINCE)
    assert len(providers) == 4
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]
    assert SECRET not in "\n".join(ours)
    assert SECRET not in repr(providers) + repr(news_settings(base_url))


def test_a_source_without_its_key_is_off() -> None:
    keyless = news_settings(newsapi_key="", alpha_vantage_key="", x_bearer_token="")
    assert [provider.name for provider in news_providers_of(keyless)] == ["reddit"]
    assert [provider.name for provider in news_providers_of(news_settings(providers=("x", "newsapi")))] == [
        "x",
        "newsapi",
    ]


def test_a_question_to_newsapi_is_never_too_long() -> None:
    company = Company("META", "Meta " + "Very Long Name " * 20 + "Platforms, Inc.")
    assert len(query_for(company)) <= LONGEST_QUERY + 20
    assert query_for(Company("META", "Meta Platforms, Inc.")).startswith('("Meta Platforms" OR "Meta" OR "Facebook"')


def test_failures_are_errors_of_market_data() -> None:
    assert issubclass(NewsUnavailable, ProviderUnavailable)
    assert issubclass(NewsRejected, ProviderRejected)
