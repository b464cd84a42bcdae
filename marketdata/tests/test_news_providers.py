"""News providers with recorded responses: requests, parsing and secrecy of keys."""

import json
import logging
import traceback
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.news_catalog import build_news_providers
from marketdata.providers.newsapi import MAX_QUERY_LENGTH, build_query
from marketdata.sentiment.matching import Company
from marketdata.tests.news_factories import (
    NETFLIX,
    PATHS,
    RECORDINGS,
    SECRET,
    SINCE,
    news_settings,
    recording,
    replies,
    serve,
    source,
)

VENDORS = tuple(PATHS)
FAILED = (ProviderUnavailable, ProviderRejected)


@pytest.fixture
def base_url(httpserver: HTTPServer) -> str:
    return httpserver.url_for("").rstrip("/")


def fetch_failure_kind(vendor: str, base_url: str) -> FailureKind:
    with pytest.raises(FAILED) as caught:
        source(vendor, base_url).fetch_news(NETFLIX, since=SINCE)
    error = caught.value
    assert SECRET not in "".join(traceback.format_exception(error))
    assert isinstance(error, FAILED)
    return error.kind


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
def test_recorded_response_is_parsed(httpserver: HTTPServer, base_url: str, vendor: str, titles: list[str]) -> None:
    serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    found = source(vendor, base_url).fetch_news(NETFLIX, since=SINCE)
    assert [one.title for one in found] == titles
    assert {one.is_social for one in found} == {vendor in ("reddit", "x")}
    assert all(one.published_at.tzinfo is UTC for one in found)


def test_newsapi_key_is_sent_in_header_only(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "newsapi", replies(recording("newsapi_everything")))
    first = source("newsapi", base_url).fetch_news(NETFLIX, since=SINCE)[0]
    (request, _), *_ = httpserver.log
    assert request.headers["X-Api-Key"] == SECRET
    assert SECRET not in request.url
    assert request.args["q"].startswith('("Netflix") AND (stock OR')
    assert (request.args["from"], request.args["language"]) == ("2023-03-24T12:00:00", "en")
    assert (first.source, first.published_at) == ("Example Times", datetime(2023, 3, 30, 13, 5, tzinfo=UTC))


def test_alpha_vantage_has_its_own_score(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "alpha_vantage", replies(recording("alpha_vantage_news")))
    first, second, third = source("alpha_vantage", base_url).fetch_news(NETFLIX, since=SINCE)
    (request, _), *_ = httpserver.log
    assert (request.args["function"], request.args["tickers"]) == ("NEWS_SENTIMENT", "NFLX")
    assert request.args["time_from"] == "20230324T1200"
    assert (first.vendor_relevance, first.vendor_score) == (0.8, 0.42)
    assert (second.vendor_relevance, second.vendor_score) == (0.6, -0.05)
    assert (third.vendor_relevance, third.vendor_score) == (0.04, 0.9)
    assert first.published_at == datetime(2023, 3, 30, 13, 5, tzinfo=UTC)


def test_alpha_vantage_share_classes_use_a_dash(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "alpha_vantage", replies({"items": "0", "feed": []}))
    company = Company("BRK.B", "Berkshire Hathaway Inc. Class B")
    assert source("alpha_vantage", base_url).fetch_news(company, since=SINCE) == []
    (request, _), *_ = httpserver.log
    assert request.args["tickers"] == "BRK-B"


@pytest.mark.parametrize(("symbol", "ticker"), [("VOD.L", "VOD.LON"), ("BRK.B", "BRK.B"), ("BRK-B", "BRK-B")])
def test_alpha_vantage_score_is_found_by_vendor_spelling(
    httpserver: HTTPServer, base_url: str, symbol: str, ticker: str
) -> None:
    reply = recording("alpha_vantage_news")
    view = {"ticker": ticker, "relevance_score": "0.7", "ticker_sentiment_score": "0.31"}
    reply["feed"] = [reply["feed"][0] | {"ticker_sentiment": [view]}]
    serve(httpserver, "alpha_vantage", replies(reply))
    (only,) = source("alpha_vantage", base_url).fetch_news(Company(symbol, "Some Company plc"), since=SINCE)
    assert (only.vendor_relevance, only.vendor_score) == (0.7, 0.31)


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
def test_alpha_vantage_error_in_a_200(httpserver: HTTPServer, base_url: str, body: object, failure: str) -> None:
    serve(httpserver, "alpha_vantage", replies(body))
    assert fetch_failure_kind("alpha_vantage", base_url) is FailureKind[failure]


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (401, "apiKeyInvalid", "BAD_KEY"),
        (401, "apiKeyDisabled", "BAD_KEY"),
        (429, "rateLimited", "RATE_LIMITED"),
        (429, "apiKeyExhausted", "QUOTA_SPENT"),
        (426, "parameterInvalid", "MALFORMED"),
        (400, "parametersMissing", "MALFORMED"),
        (200, "maximumResultsReached", "QUOTA_SPENT"),
        (200, "unexpectedError", "UNREACHABLE"),
    ],
)
def test_newsapi_error_codes_are_classified(
    httpserver: HTTPServer, base_url: str, status: int, code: str, failure: str
) -> None:
    body = {"status": "error", "code": code, "message": f"Your API key {SECRET} ..."}
    serve(httpserver, "newsapi", replies(body, status))
    assert fetch_failure_kind("newsapi", base_url) is FailureKind[failure]


@pytest.mark.parametrize("vendor", VENDORS)
def test_malformed_items_are_skipped(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
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


def test_reddit_requests_one_page(httpserver: HTTPServer, base_url: str) -> None:
    more = recording("reddit_search")
    more["data"]["after"] = "t3_next"
    few = {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Used": "100", "X-Ratelimit-Reset": "300"}
    serve(httpserver, "reddit", lambda request: Response(json.dumps(more), 200, few))
    assert len(source("reddit", base_url).fetch_news(NETFLIX, since=SINCE)) == 2
    _, (search, _) = httpserver.log
    assert (search.args["q"], search.args["limit"]) == ('"NFLX" OR "Netflix"', "100")
    assert (search.args["restrict_sr"], search.args["sort"], search.args["t"]) == ("true", "new", "week")


@pytest.mark.parametrize(("vendor", "version"), [("newsapi", "/v2"), ("x", "/2/"), ("alpha_vantage", "/query")])
def test_base_url_may_include_version(httpserver: HTTPServer, base_url: str, vendor: str, version: str) -> None:
    serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    assert source(vendor, base_url + version).fetch_news(NETFLIX, since=SINCE)


def test_x_without_posts_is_empty(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "x", replies({"meta": {"result_count": 0}}))
    assert source("x", base_url).fetch_news(NETFLIX, since=SINCE) == []


def test_x_quota_error_is_recognised(httpserver: HTTPServer, base_url: str) -> None:
    serve(httpserver, "x", replies({"title": "UsageCapExceeded", "detail": "..."}, 429))
    assert fetch_failure_kind("x", base_url) is FailureKind.QUOTA_SPENT


def test_keys_appear_in_no_log_or_repr(httpserver: HTTPServer, base_url: str, caplog: pytest.LogCaptureFixture) -> None:
    for vendor in VENDORS:
        serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    with caplog.at_level(logging.DEBUG):
        providers = build_news_providers(news_settings(base_url))
        for provider in providers:
            provider.fetch_news(NETFLIX, since=SINCE)
    assert len(providers) == 4
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]
    assert SECRET not in "\n".join(ours)
    assert SECRET not in repr(providers) + repr(news_settings(base_url))


def test_source_without_key_is_off() -> None:
    keyless = news_settings(newsapi_key="", alpha_vantage_key="", x_bearer_token="")
    assert [provider.name for provider in build_news_providers(keyless)] == ["reddit"]
    assert [provider.name for provider in build_news_providers(news_settings(providers=("x", "newsapi")))] == [
        "x",
        "newsapi",
    ]


def test_newsapi_query_length_is_limited() -> None:
    company = Company("META", "Meta " + "Very Long Name " * 20 + "Platforms, Inc.")
    assert len(build_query(company)) <= MAX_QUERY_LENGTH + 20
    assert build_query(Company("META", "Meta Platforms, Inc.")).startswith('("Meta Platforms" OR "Meta" OR "Facebook"')
