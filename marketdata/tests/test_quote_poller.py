"""Quote poller: watched stocks of open exchanges, within quotas, one run at a time."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.test import override_settings
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from pytest_httpserver import HTTPServer
from redis import Redis
from werkzeug import Request, Response
from yfinance.data import YfData

from marketdata.conf import AlphaVantageSettings, Budget
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.models import Instrument, Quote, SymbolAlias
from marketdata.providers.catalog import call_budget, shared_usage
from marketdata.providers.sample import SampleProvider
from marketdata.services.quote_poller import PollReport, poll_quotes
from marketdata.services.quotes import follow
from marketdata.tests.factories import flat_bar, stock
from marketdata.tests.quote_factories import (
    BEFORE,
    INSIDE,
    OUTSIDE,
    FakeQuoteProvider,
    clear_watched,
    published_messages,
    quote,
)
from store.client import redis_client

pytestmark = pytest.mark.django_db
LATER = timedelta(hours=12)
RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(autouse=True)
def _no_watched_instruments() -> Iterator[None]:
    clear_watched()
    yield
    clear_watched()


def watch_stocks(*symbols: str, now: datetime = INSIDE, **changes: Any) -> list[Instrument]:
    """Create stocks that closed at 118 and are watched for half a day."""
    stocks = [stock(symbol, **changes) for symbol in symbols]
    for instrument in stocks:
        flat_bar(instrument, BEFORE, "118")
        follow(instrument, now + LATER)
    return stocks


def poll(source: FakeQuoteProvider, now: datetime = INSIDE) -> PollReport:
    return poll_quotes(now=now, providers=lambda: [source])


def test_watched_stock_is_polled_and_published_after_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    (acme,) = watch_stocks("ACME")
    stock("IDLE")
    source = FakeQuoteProvider()
    before = published_messages(acme)
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        report = poll(source)
    assert source.requested == ["ACME"]
    assert (report.watched, report.requested, report.stored) == (1, 1, 1)
    assert Quote.objects.get().price == 120
    assert published_messages(acme) == before
    for callback in callbacks:
        callback()
    assert published_messages(acme) == before + 1


def test_expired_watch_is_not_polled() -> None:
    (acme,) = watch_stocks("ACME")
    follow(acme, INSIDE + timedelta(seconds=5))
    source = FakeQuoteProvider()
    poll(source, INSIDE)
    assert source.requested == ["ACME"], "a shorter interest does not cut a longer one"
    clear_watched()
    follow(acme, INSIDE + timedelta(seconds=5))
    assert poll(source, INSIDE + timedelta(seconds=6)).watched == 0
    assert source.requested == ["ACME"]


@pytest.mark.parametrize(
    ("mic", "now", "is_polled"),
    [
        ("XNYS", INSIDE, True),
        ("XNYS", datetime(2024, 6, 11, 13, 29, tzinfo=UTC), False),
        ("XNYS", OUTSIDE, False),
        # Saturday; the day after Thanksgiving, which ends at 18:00 UTC; London at noon.
        ("XNYS", datetime(2024, 6, 15, 15, tzinfo=UTC), False),
        ("XNYS", datetime(2024, 11, 29, 17, 59, tzinfo=UTC), True),
        ("XNYS", datetime(2024, 11, 29, 18, 1, tzinfo=UTC), False),
        ("XLON", datetime(2024, 6, 11, 8, tzinfo=UTC), True),
        ("24/7", datetime(2024, 6, 15, 3, tzinfo=UTC), True),
    ],
)
def test_nothing_is_polled_outside_the_session(mic: str, now: datetime, is_polled: bool) -> None:
    watch_stocks("ACME", now=now, mic=mic)
    source = FakeQuoteProvider()
    poll(source, now)
    assert source.requested == ["ACME"] * is_polled


def test_stock_is_polled_again_after_the_interval() -> None:
    watch_stocks("ACME")
    source = FakeQuoteProvider()
    for seconds in (0, 30, 61):
        poll(source, INSIDE + timedelta(seconds=seconds))
    assert source.requested == ["ACME"] * 2


def test_delisted_stock_is_not_polled() -> None:
    watch_stocks("ACME", is_active=False, delisted_on=BEFORE)
    source = FakeQuoteProvider()
    assert poll(source).requested == 0
    assert source.requested == []


def test_sample_provider_is_not_polled() -> None:
    watch_stocks("ACME")
    assert poll_quotes(now=INSIDE, providers=lambda: [SampleProvider()]) == PollReport()


def test_next_source_is_used_with_its_own_symbol() -> None:
    (acme,) = watch_stocks("ACME")
    SymbolAlias.objects.create(instrument=acme, vendor="second", symbol="ACM-E")
    first = FakeQuoteProvider("first", {"ACME": ProviderUnavailable("first", "is down")})
    second = FakeQuoteProvider("second", {"ACM-E": quote("121")})
    report = poll_quotes(now=INSIDE, providers=lambda: [first, second])
    assert (first.requested, second.requested, report.stored) == (["ACME"], ["ACM-E"], 1)
    assert Quote.objects.get().source == "second"


def test_unknown_stock_does_not_affect_others() -> None:
    watch_stocks("AAA", "ZZZ")
    source = FakeQuoteProvider("memory", {"AAA": ProviderRejected("memory", "unknown symbol")})
    report = poll(source)
    assert (report.requested, report.stored, report.failed) == (2, 1, 1)
    assert poll(source, INSIDE + timedelta(seconds=30)).requested == 0


def with_budget(settings: Settings, **budgets: Budget) -> None:
    settings.HINDCAST_MARKETDATA = replace(settings.HINDCAST_MARKETDATA, budgets=budgets, quote_every_s=15.0)


@pytest.fixture
def provider(settings: Settings) -> Iterator[str]:
    """Provider with an unused budget of eight calls a day, four of them for quotes."""
    name = "scarce"
    keys = [f"provider:{{{name}}}:{part}" for part in ("calls", "day", "circuit")]
    redis_client().delete(*keys)
    with_budget(settings, scarce=Budget(per_day=8))
    yield name
    redis_client().delete(*keys)


def test_half_of_the_daily_budget_is_reserved_for_bars(provider: str) -> None:
    watch_stocks("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
    source = FakeQuoteProvider(provider, before=call_budget(provider).admit)
    # Twenty seconds before the close the budget need not last any longer.
    late = datetime(2024, 6, 11, 19, 59, 40, tzinfo=UTC)
    assert [poll(source, late + timedelta(seconds=15 * run)).requested for run in range(2)] == [4, 0]
    assert sorted(source.requested) == ["AAA", "BBB", "CCC", "DDD"]
    for _ in range(4):
        call_budget(provider).admit()
    with pytest.raises(ProviderUnavailable):
        call_budget(provider).admit()


def test_longest_waiting_stock_comes_first(provider: str) -> None:
    watch_stocks("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
    # The fake provider counts no calls, so every run has four.
    source = FakeQuoteProvider(provider)
    late = datetime(2024, 6, 11, 19, 59, 10, tzinfo=UTC)
    for run in range(3):
        poll(source, late + timedelta(seconds=16 * run))
    assert [sorted(source.requested[first:last]) for first, last in ((0, 4), (4, 6), (6, 10))] == [
        ["AAA", "BBB", "CCC", "DDD"],
        ["EEE", "FFF"],
        ["AAA", "BBB", "CCC", "DDD"],
    ]


def test_small_quota_lasts_to_the_close(provider: str) -> None:
    watch_stocks("AAA")
    source = FakeQuoteProvider(provider, before=call_budget(provider).admit)
    # Five hours are left; after the first of four calls 240 minutes for three, one in 80; at minute 76 one in 75.
    requests = [poll(source, INSIDE + timedelta(minutes=minutes)).requested for minutes in (0, 60, 76, 120)]
    assert requests == [1, 0, 1, 0]


def test_paused_source_is_not_polled(provider: str) -> None:
    watch_stocks("AAA")
    shared_usage(provider).record(FailureKind.RATE_LIMITED, latency_ms=5, pause_s=60.0)
    source = FakeQuoteProvider(provider)
    assert poll(source).requested == 0
    assert source.requested == []


@pytest.mark.django_db(transaction=True)
def test_only_one_poller_runs() -> None:
    watch_stocks("AAA")
    inside, go_on = Barrier(2, timeout=10), Barrier(2, timeout=10)

    def wait() -> None:
        inside.wait()
        go_on.wait()

    reports: list[PollReport] = []
    slow = FakeQuoteProvider(before=wait)

    def work() -> None:
        reports.append(poll(slow))
        connections.close_all()

    worker = Thread(target=work)
    worker.start()
    inside.wait()
    second = FakeQuoteProvider()
    assert poll(second).claimed is False
    go_on.wait()
    worker.join(10)
    assert (second.requested, reports[0].stored) == ([], 1)
    assert poll(second, INSIDE + timedelta(minutes=2)).claimed, "the claim is given back"


def test_nothing_is_polled_without_redis() -> None:
    watch_stocks("AAA")
    source = FakeQuoteProvider()
    site = replace(django_settings.HINDCAST_SITE, redis_url="redis://127.0.0.1:1/0")
    with override_settings(HINDCAST_SITE=site):
        follow(Instrument.objects.get(), INSIDE + LATER)
        assert poll(source) == PollReport(claimed=False)
    assert source.requested == []


def yahoo_chart(price: float, at: datetime) -> dict[str, Any]:
    meta = {
        "currency": "USD",
        "symbol": "NVDA",
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": int(at.timestamp()),
        "regularMarketPrice": price,
        "chartPreviousClose": 121.79,
    }
    return {"chart": {"result": [{"meta": meta}], "error": None}}


@pytest.fixture
def vendors(httpserver: HTTPServer, settings: Settings, tmp_path: Path) -> Iterator[HTTPServer]:
    """Test server for Yahoo and Alpha Vantage, both with unused budgets."""
    YfData._instances.clear()
    store = Redis.from_url(django_settings.HINDCAST_SITE.redis_url)
    keys = [
        f"provider:{{{name}}}:{what}" for what in ("calls", "day", "circuit") for name in ("yahoo", "alpha_vantage")
    ]
    store.delete(*keys)
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, data_dir=tmp_path)
    settings.HINDCAST_MARKETDATA = replace(
        settings.HINDCAST_MARKETDATA,
        providers=("yahoo", "alpha_vantage", "sample"),
        yahoo_base_url=httpserver.url_for("/"),
        alpha_vantage=AlphaVantageSettings("key", httpserver.url_for("/"), timeout_s=5.0),
        budgets={"alpha_vantage": Budget(per_day=25), "yahoo": Budget(per_day=100)},
    )
    yield httpserver
    store.delete(*keys)
    store.close()
    YfData._instances.clear()


def test_yahoo_comes_first_and_gives_the_trade_time(vendors: HTTPServer) -> None:
    watch_stocks("NVDA")
    at = INSIDE - timedelta(seconds=3)
    vendors.expect_request("/v8/finance/chart/NVDA").respond_with_json(yahoo_chart(120.91, at))
    assert poll_quotes(now=INSIDE).stored == 1
    stored = Quote.objects.get()
    assert (stored.source, stored.price, stored.as_of) == ("yahoo", Decimal("120.91"), at)
    assert (stored.previous_close, stored.is_delayed) == (Decimal("121.79"), False)


def test_alpha_vantage_is_the_delayed_fallback(vendors: HTTPServer) -> None:
    watch_stocks("NVDA")
    vendors.expect_request("/v8/finance/chart/NVDA").respond_with_data("Too Many Requests", status=429)
    reply = json.loads((RECORDED / "alpha_vantage_quote.json").read_text())
    functions: list[str] = []

    def answer(request: Request) -> Response:
        functions.append(request.args["function"])
        return Response(json.dumps(reply), content_type="application/json")

    vendors.expect_request("/query").respond_with_handler(answer)
    assert poll_quotes(now=INSIDE).stored == 1
    stored = Quote.objects.get()
    assert (stored.source, stored.price, stored.is_delayed) == ("alpha_vantage", Decimal("120.91"), True)
    assert stored.as_of.replace(microsecond=0) == INSIDE - timedelta(minutes=15)
    assert functions == ["GLOBAL_QUOTE"]
