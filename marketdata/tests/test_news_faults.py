"""Every fault of every news source: nothing is stored, other sources continue, no key is revealed."""

import logging
import os
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core.serializers import serialize
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from redis import Redis
from werkzeug import Request, Response

from config.settings.environment import read_environment
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.models import ArticleMention, Instrument, NewsArticle, SentimentDay
from marketdata.providers.catalog import shared_usage
from marketdata.providers.news_catalog import configured_news_providers, news_budget
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.news import ingest_news
from marketdata.tasks import ingest_all_news
from marketdata.tests.factories import stock
from marketdata.tests.news_factories import (
    NETFLIX,
    NOW,
    PATHS,
    RECORDED,
    RECORDINGS,
    SECRET,
    SINCE,
    FakeNewsProvider,
    article,
    news_settings,
    raw,
    recording,
    replies,
    serve,
    source,
)
from marketdata.tests.slow_servers import BODY_DRIPS, HEADERS_DRIP, endless
from marketdata.tests.test_source_faults import resetting

VENDORS = tuple(PATHS)
# No busy machine is slower than PATIENT_S, so only faults with the short timeout end as SLOW.
PATIENT_S, SHORT_S = 60.0, 0.7
FAILED = (ProviderUnavailable, ProviderRejected)
# Errors with status 200 of each vendor; Reddit's is an object of another shape.
COMPLAINTS = {
    "alpha_vantage": ({"Information": f"Your API key {SECRET}: 25 requests per day."}, FailureKind.QUOTA_SPENT),
    "newsapi": ({"status": "error", "code": "rateLimited", "message": SECRET}, FailureKind.RATE_LIMITED),
    "reddit": ({"message": SECRET, "error": 429}, FailureKind.MALFORMED),
    "x": ({"title": "UsageCapExceeded", "detail": SECRET}, FailureKind.QUOTA_SPENT),
}


def half(vendor: str) -> bytes:
    """Return the first half of a valid response."""
    whole = (RECORDED / f"{RECORDINGS[vendor]}.json").read_bytes()
    return whole[: len(whole) // 2]


def dripping(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        pace = threading.Event()
        for _ in range(600):
            pace.wait(0.1)
            yield b" "

    return Response(pieces(), content_type="application/json")


FAULTS: dict[str, tuple[Callable[[str], Callable[[Request], Response]], set[FailureKind]]] = {
    "429": (lambda _: replies({"message": SECRET}, 429), {FailureKind.RATE_LIMITED}),
    "401": (lambda _: replies({"title": "Unauthorized"}, 401), {FailureKind.BAD_KEY}),
    "403 page": (lambda _: raw("<h1>Blocked</h1>", 403), {FailureKind.BAD_KEY}),
    "404 page": (lambda _: raw("<h1>Not here</h1>", 404), {FailureKind.MALFORMED}),
    "500": (lambda _: raw("<h1>Oops</h1>", 500), {FailureKind.UNREACHABLE}),
    "200 with a complaint": (
        lambda vendor: replies(COMPLAINTS[vendor][0]),
        {FailureKind.QUOTA_SPENT, FailureKind.RATE_LIMITED, FailureKind.MALFORMED},
    ),
    "empty body": (lambda _: raw(""), {FailureKind.MALFORMED}),
    "html": (lambda _: raw("<html><body>Will be right back</body></html>"), {FailureKind.MALFORMED}),
    "truncated": (lambda vendor: raw(half(vendor)), {FailureKind.MALFORMED}),
    "null": (lambda _: raw("null"), {FailureKind.MALFORMED}),
    "nothing": (lambda _: replies({}), {FailureKind.MALFORMED}),
    "without a bottom": (lambda _: raw("[" * 200_000), {FailureKind.MALFORMED}),
    "dripping": (lambda _: dripping, {FailureKind.SLOW}),
}


@pytest.fixture
def base_url(httpserver: HTTPServer) -> str:
    return httpserver.url_for("").rstrip("/")


@pytest.fixture
def netflix(db: None) -> Instrument:
    return stock("NFLX", name="Netflix, Inc.", mic="XNAS")


@pytest.fixture
def _cleared_budgets() -> Iterator[None]:
    """Clear the sources' budgets and circuits in Redis before and after."""
    names = [f"provider:{{{vendor}}}:{what}" for what in ("calls", "day", "circuit") for vendor in VENDORS]
    with Redis.from_url(site.HINDCAST_SITE.redis_url) as store:
        store.delete(*names)
        yield
        store.delete(*names)


def ingest_failure(vendor: str, base_url: str, netflix: Instrument, *, timeout_s: float = PATIENT_S) -> str:
    """Ingest from the faulty vendor and a healthy one; returns the vendor's failure message."""
    healthy = FakeNewsProvider("healthy", [article()])
    faulty, other = ingest_news(
        now=NOW,
        instruments=[netflix],
        providers=[source(vendor, base_url, timeout_s=timeout_s), healthy],
        scorer=LexiconScorer(),
    )
    assert (faulty.stored.new, other.stored.new) == (0, 1)
    assert set(NewsArticle.objects.values_list("provider", flat=True)) == {"healthy"}
    (failure,) = faulty.failures
    return failure


def fetch_error(vendor: str, base_url: str, *, timeout_s: float = PATIENT_S) -> ProviderUnavailable | ProviderRejected:
    """Return the error of a call to the vendor, which must not contain the key."""
    with pytest.raises(FAILED) as caught:
        source(vendor, base_url, timeout_s=timeout_s).fetch_news(NETFLIX, since=SINCE)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert isinstance(caught.value, FAILED)
    return caught.value


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_source_stores_nothing_and_next_is_used(
    httpserver: HTTPServer,
    base_url: str,
    netflix: Instrument,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    vendor: str,
) -> None:
    answer, kinds = FAULTS[fault]
    serve(httpserver, vendor, answer(vendor))
    timeout_s = SHORT_S if fault == "dripping" else PATIENT_S
    assert fetch_error(vendor, base_url, timeout_s=timeout_s).kind in kinds
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        failure = ingest_failure(vendor, base_url, netflix, timeout_s=timeout_s)
    assert failure.startswith(f"NFLX: {vendor}: ")
    stored = "".join(serialize("json", table.objects.all()) for table in (NewsArticle, ArticleMention, SentimentDay))
    assert len(stored) > 100
    for text in (failure, caplog.text, stored):
        assert SECRET not in text


@pytest.mark.parametrize("vendor", VENDORS)
def test_error_in_a_200_is_recognised(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
    body, kind = COMPLAINTS[vendor]
    serve(httpserver, vendor, replies(body))
    assert fetch_error(vendor, base_url).kind is kind


@pytest.mark.parametrize("vendor", VENDORS)
def test_slow_source_times_out(httpserver: HTTPServer, base_url: str, netflix: Instrument, vendor: str) -> None:
    done = threading.Event()

    def wait(request: Request) -> Response:
        done.wait(PATIENT_S)
        return replies(recording(RECORDINGS[vendor]))(request)

    serve(httpserver, vendor, wait)
    try:
        assert fetch_error(vendor, base_url, timeout_s=SHORT_S).kind is FailureKind.SLOW
        failure = ingest_failure(vendor, base_url, netflix, timeout_s=SHORT_S)
    finally:
        done.set()
    assert "timed out" in failure


@pytest.mark.parametrize("vendor", VENDORS)
def test_reset_connection_is_reported(netflix: Instrument, vendor: str) -> None:
    with resetting() as url:
        assert fetch_error(vendor, url.rstrip("/")).kind is FailureKind.UNREACHABLE
        failure = ingest_failure(vendor, url.rstrip("/"), netflix)
    assert "unreachable" in failure


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (replies({"message": "Unauthorized", "error": 401}, 401), FailureKind.BAD_KEY),
        (replies({"error": "invalid_grant"}), FailureKind.BAD_KEY),
        (replies({}), FailureKind.MALFORMED),
        (raw(""), FailureKind.MALFORMED),
        (raw("<html>Will be right back</html>"), FailureKind.MALFORMED),
        (replies({"message": "busy"}, 503), FailureKind.UNREACHABLE),
    ],
)
def test_token_failure_is_reported(
    httpserver: HTTPServer, base_url: str, answer: Callable[[Request], Response], kind: FailureKind
) -> None:
    httpserver.expect_request("/api/v1/access_token").respond_with_handler(answer)
    assert fetch_error("reddit", base_url).kind is kind
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("vendor", ["newsapi", "alpha_vantage", "x"])
def test_server_error_is_retried_once(httpserver: HTTPServer, base_url: str, vendor: str) -> None:
    serve(httpserver, vendor, raw("<h1>Bad gateway</h1>", 502))
    assert fetch_error(vendor, base_url).kind is FailureKind.UNREACHABLE
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.usefixtures("netflix", "_cleared_budgets")
def test_rate_limited_source_is_paused_for_retry_after(
    httpserver: HTTPServer, base_url: str, settings: Settings, vendor: str
) -> None:
    settings.HINDCAST_NEWS = news_settings(base_url, providers=(vendor,))
    serve(httpserver, vendor, lambda request: Response("", 429, {"Retry-After": "120"}))
    ingest_all_news()
    requests = len(httpserver.log)
    assert requests == (2 if vendor == "reddit" else 1)
    ingest_all_news()
    assert len(httpserver.log) == requests
    with pytest.raises(ProviderUnavailable) as refused:
        configured_news_providers()[0].fetch_news(NETFLIX, since=SINCE)
    assert (refused.value.kind, refused.value.attempted) == (FailureKind.RATE_LIMITED, False)
    assert 100 < (refused.value.retry_after_s or 0) <= 120
    assert SECRET not in str(shared_usage(vendor).state(NOW))


WORKER = """
from datetime import UTC, date, datetime
from marketdata.errors import ProviderUnavailable
from marketdata.providers.catalog import configured_providers
from marketdata.providers.news_catalog import configured_news_providers
from marketdata.sentiment.matching import Company
for source in configured_news_providers():
    for number in range(8):
        try:
            source.fetch_news(Company("NVDA", "NVIDIA Corporation"), since=datetime(2023, 3, 24, tzinfo=UTC))
        except ProviderUnavailable as error:
            assert not error.attempted, error
for source in configured_providers():
    for number in range(8):
        try:
            source.fetch_daily_bars("NVDA", first=date(2024, 6, 6), last=date(2024, 6, 11))
        except ProviderUnavailable as error:
            assert not error.attempted, error
"""


@pytest.mark.usefixtures("_cleared_budgets")
@pytest.mark.slow
def test_concurrent_workers_respect_budgets_and_price_share(httpserver: HTTPServer, base_url: str) -> None:
    for vendor in ("newsapi", "x"):
        serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    httpserver.expect_request("/r/stocks/search/").respond_with_json(recording("reddit_search"))
    httpserver.expect_request("/api/v1/access_token").respond_with_json(
        {"access_token": "t", "expires_in": 3600, "scope": "*"}
    )
    bodies = {
        "NEWS_SENTIMENT": recording("alpha_vantage_news"),
        "TIME_SERIES_DAILY_ADJUSTED": recording("alpha_vantage_daily_adjusted"),
    }
    httpserver.expect_request("/query").respond_with_handler(
        lambda request: replies(bodies[request.args["function"]])(request)
    )
    keys = ("ALPHA_VANTAGE_API_KEY", "NEWSAPI_KEY", "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "X_BEARER_TOKEN")
    addresses = ("ALPHA_VANTAGE_BASE_URL", "NEWSAPI_BASE_URL", "REDDIT_BASE_URL", "X_BASE_URL")
    environment = {
        **os.environ,
        **dict.fromkeys(keys, SECRET),
        **dict.fromkeys(addresses, base_url),
        "DJANGO_SETTINGS_MODULE": site.SETTINGS_MODULE,
        "REDIS_URL": site.HINDCAST_SITE.redis_url,
        "HINDCAST_PROVIDERS": "alpha_vantage",
        "REDDIT_SUBREDDITS": "stocks",
        "HINDCAST_ALPHA_VANTAGE_BUDGET": "10/day",
        "HINDCAST_NEWSAPI_BUDGET": "5/day",
        "HINDCAST_REDDIT_BUDGET": "6/day",
        "HINDCAST_X_BUDGET": "3/day",
    }
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], env=environment, cwd=Path(site.BASE_DIR)) for _ in range(2)
    ]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    requests = Counter(request.args.get("function") or request.path for request, _ in httpserver.log)
    # News may use 40% of ten calls; prices use the rest.
    assert requests.pop("NEWS_SENTIMENT") == 4
    assert requests.pop("TIME_SERIES_DAILY_ADJUSTED") == 6
    assert requests.pop("/v2/everything") == 5
    assert requests.pop("/2/tweets/search/recent") == 3
    # A search and its token are one call each.
    assert requests.pop("/api/v1/access_token") + requests.pop("/r/stocks/search/") == 6
    assert not requests


@pytest.mark.parametrize(
    ("budget", "providers", "left_for_news"),
    [
        ("25/day", "alpha_vantage", 10),
        ("2/day", "alpha_vantage", 1),
        ("25/day", "sample", 25),
        ("9/minute", "yahoo", 0),
    ],
)
def test_news_budget_leaves_calls_for_prices(
    settings: Settings, budget: str, providers: str, left_for_news: int
) -> None:
    environment = {"ALPHA_VANTAGE_API_KEY": SECRET, "HINDCAST_PROVIDERS": providers}
    read = read_environment({**environment, "HINDCAST_ALPHA_VANTAGE_BUDGET": budget})
    settings.HINDCAST_MARKETDATA = read.marketdata
    assert news_budget("alpha_vantage").per_day == left_for_news


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("start", [BODY_DRIPS, HEADERS_DRIP], ids=["body", "headers"])
def test_endless_response_is_cut_off(vendor: str, start: bytes) -> None:
    with endless(start) as url:
        assert fetch_error(vendor, url, timeout_s=SHORT_S).kind is FailureKind.SLOW
    with endless(start, silent=True) as url:
        assert fetch_error(vendor, url, timeout_s=SHORT_S).kind is FailureKind.SLOW
