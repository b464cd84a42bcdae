"""Yahoo provider with recorded, slow, invalid and missing responses."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from yfinance.data import YfData

from marketdata.errors import ProviderRejected, ProviderUnavailable
from marketdata.models import DailyBar, Instrument, QuarantinedBar
from marketdata.providers.base import DailyHistory
from marketdata.providers.sample import SampleProvider
from marketdata.providers.yahoo import YahooProvider
from marketdata.providers.yahoo_chart import decimal_price, parse_chart, yahoo_symbol
from marketdata.services.ingestion import ingest_all
from marketdata.tests.factories import stock

RECORDED = Path(__file__).parent / "recorded"
FIRST, LAST = date(2023, 9, 18), date(2023, 9, 21)
CHART = "/v8/finance/chart/AAPL"
# No busy machine is slower than this, so only tests with a shorter timeout see SLOW.
PATIENT_S = 60.0

MakeProvider = Callable[..., YahooProvider]


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text())


def call_count(outcome: str) -> float:
    """Return the number of Yahoo calls with this outcome."""
    labels = {"provider": "yahoo", "outcome": outcome}
    return REGISTRY.get_sample_value("hindcast_provider_calls_total", labels) or 0.0


@pytest.fixture
def provider_at(tmp_path: Path) -> Iterator[MakeProvider]:
    """Yield a factory of providers for a base URL, with yfinance's shared state reset."""

    def provider(url: str, timeout_s: float = PATIENT_S) -> YahooProvider:
        return YahooProvider(timeout_s=timeout_s, base_url=url, cache_folder=tmp_path / "yahoo")

    YfData._instances.clear()
    yield provider
    YfData._instances.clear()


@pytest.fixture
def yahoo(provider_at: MakeProvider, httpserver: HTTPServer) -> YahooProvider:
    """Provider of the test server."""
    return provider_at(httpserver.url_for("/"))


def fetch_chart(provider: YahooProvider) -> DailyHistory:
    return provider.fetch_daily_bars("AAPL", first=FIRST, last=LAST)


def test_chart_is_parsed(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_chart.json"))
    history = fetch_chart(yahoo)
    assert [one.session.day for one in history.bars] == [18, 19, 20, 21]
    first = history.bars[0]
    assert (first.open, first.high, first.low, first.close, first.volume) == (
        Decimal("176.48"),
        Decimal("179.38"),
        Decimal("176.17"),
        Decimal("177.97"),
        67257600,
    )
    assert history.bars[2].close.is_nan()
    assert [(one.session.day, one.kind, one.value) for one in history.actions] == [
        (20, "split", Decimal(4)),
        (19, "dividend", Decimal("0.24")),
    ]
    assert history.basis_date == LAST


def test_request_covers_whole_days_and_splits(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_chart.json"))
    fetch_chart(yahoo)
    request = next(request for request, _ in httpserver.log if request.path == CHART)
    # 2023-09-18 and 2023-09-22, both 00:00 UTC.
    assert (request.args["period1"], request.args["period2"]) == ("1694995200", "1695340800")
    assert (request.args["interval"], request.args["events"]) == ("1d", "div,splits")


def test_empty_chart_has_no_bars(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_empty.json"))
    assert list(fetch_chart(yahoo).bars) == []


def test_unknown_symbol_is_rejected(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_not_found.json"), status=404)
    with pytest.raises(ProviderRejected, match="unknown symbol"):
        fetch_chart(yahoo)


def test_error_inside_chart_is_rejected() -> None:
    with pytest.raises(ProviderRejected, match="delisted"):
        parse_chart(recorded("yahoo_not_found.json"), first=FIRST)


@pytest.mark.parametrize("body", ["", "<html>Will be right back</html>", "[]", "{}", '{"chart": null}', "null"])
def test_unreadable_response_is_an_error(yahoo: YahooProvider, httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request(CHART).respond_with_data(body)
    with pytest.raises(ProviderUnavailable, match=r"not JSON|unreadable"):
        fetch_chart(yahoo)


@pytest.mark.parametrize(
    "split",
    [
        {"date": 1_598_880_600, "numerator": 4, "denominator": 0},
        {"date": 1_598_880_600, "numerator": 0, "denominator": 1},
        {"date": 1_598_880_600, "numerator": -4, "denominator": 1},
        {"date": 1_598_880_600, "numerator": "NaN", "denominator": 1},
        {"date": 1e20, "numerator": 4, "denominator": 1},
        {"date": 1_598_880_600, "numerator": "four", "denominator": 1},
    ],
)
def test_invalid_split_is_an_error(split: dict[str, Any]) -> None:
    reply = recorded("yahoo_chart.json")
    reply["chart"]["result"][0]["events"] = {"splits": {"1598880600": split}}
    with pytest.raises(ProviderUnavailable, match="unreadable chart"):
        parse_chart(reply, first=FIRST)


def test_columns_of_different_length_are_an_error() -> None:
    reply = recorded("yahoo_chart.json")
    reply["chart"]["result"][0]["indicators"]["quote"][0]["open"].pop()
    with pytest.raises(ProviderUnavailable, match="unreadable chart"):
        parse_chart(reply, first=FIRST)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_error_status_is_a_failure(yahoo: YahooProvider, httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(CHART).respond_with_data("Too Many Requests", status=status)
    with pytest.raises(ProviderUnavailable):
        fetch_chart(yahoo)


@pytest.mark.parametrize("elsewhere", ["http://169.254.169.254/latest", "/other", "file:///etc/passwd"])
def test_redirects_are_not_followed(yahoo: YahooProvider, httpserver: HTTPServer, elsewhere: str) -> None:
    httpserver.expect_request(CHART).respond_with_data("", status=302, headers={"Location": elsewhere})
    httpserver.expect_request("/other").respond_with_json(recorded("yahoo_chart.json"))
    with pytest.raises(ProviderUnavailable, match="status 302"):
        fetch_chart(yahoo)
    assert "/other" not in {request.path for request, _ in httpserver.log}


def test_slow_source_is_tried_once_per_run(provider_at: MakeProvider, httpserver: HTTPServer) -> None:
    released, requests = threading.Event(), []

    def late(request: Request) -> Response:
        requests.append(request)
        released.wait(PATIENT_S)
        return Response("{}")

    httpserver.expect_request(CHART).respond_with_handler(late)
    hasty = provider_at(httpserver.url_for("/"), timeout_s=0.6)
    for _ in range(6):
        with pytest.raises(ProviderUnavailable, match=r"timed out after 0\.6 s"):
            fetch_chart(hasty)
    released.set()
    assert len(requests) == 1


def test_slow_symbol_does_not_end_an_answered_run(provider_at: MakeProvider, httpserver: HTTPServer) -> None:
    released = threading.Event()

    def late(request: Request) -> Response:
        released.wait(PATIENT_S)
        return Response("{}")

    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_chart.json"))
    httpserver.expect_request("/v8/finance/chart/SLOW").respond_with_handler(late)
    yahoo = provider_at(httpserver.url_for("/"), timeout_s=2.0)
    fetch_chart(yahoo)
    with pytest.raises(ProviderUnavailable, match="timed out"):
        yahoo.fetch_daily_bars("SLOW", first=FIRST, last=LAST)
    released.set()
    assert len(fetch_chart(yahoo).bars) == 4


def test_unreachable_source_is_tried_once_per_run(provider_at: MakeProvider) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        unreachable = provider_at(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ProviderUnavailable, match="unreachable"):
            fetch_chart(unreachable)
        # The port now accepts connections without a response, so a second attempt would end differently.
        taken.listen()
        with pytest.raises(ProviderUnavailable, match="unreachable"):
            fetch_chart(unreachable)


def test_yfinance_caches_only_in_the_given_folder(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_chart.json"))
    home = tmp_path / "home"
    home.mkdir()
    program = f"""
from datetime import date
from pathlib import Path
from marketdata.providers.yahoo import YahooProvider
cache = Path({str(tmp_path)!r}) / "cache"
provider = YahooProvider(timeout_s=5, base_url={httpserver.url_for("/")!r}, cache_folder=cache)
provider.fetch_daily_bars("AAPL", first=date(2023, 9, 18), last=date(2023, 9, 21))
"""
    at_home = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    subprocess.run([sys.executable, "-c", program], env=at_home, check=True, timeout=60)
    assert list(home.iterdir()) == []
    assert list((tmp_path / "cache").iterdir()) != []


@pytest.mark.django_db
def test_yahoo_bars_are_validated(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART).respond_with_json(recorded("yahoo_chart.json"))
    before = call_count("answered")
    instrument = stock(symbol="AAPL", mic="XNAS")
    now = datetime(2023, 9, 21, 21, tzinfo=UTC)
    run = ingest_all(through=LAST, now=now, instruments=[instrument], providers=[yahoo])[0]
    assert (run.provider, run.bars_new, run.bars_quarantined) == ("yahoo", 3, 1)
    assert QuarantinedBar.objects.get().rule == "missing_value"
    assert set(DailyBar.objects.values_list("source", flat=True)) == {"yahoo"}
    assert call_count("answered") == before + 1


def with_live_row(close: float = 173.93) -> Any:
    """Return the chart just after the close: the daily row and a row of the last trade."""
    chart = recorded("yahoo_chart.json")
    series = chart["chart"]["result"][0]
    series["timestamp"].append(series["meta"]["regularMarketTime"])
    for values in (series["indicators"]["quote"][0], series["indicators"]["adjclose"][0]):
        for column in values.values():
            column.append(column[-1])
    series["indicators"]["quote"][0]["close"][-1] = close
    series["indicators"]["quote"][0]["volume"][-1] += 2_000
    return chart


def ingest_counts(yahoo: YahooProvider, now: datetime) -> tuple[int, int]:
    """Ingest once and return the numbers of new and changed bars."""
    instrument = Instrument.objects.get(symbol="AAPL")
    run = ingest_all(through=LAST, now=now, instruments=[instrument], providers=[yahoo])[0]
    return run.bars_new, run.bars_changed


@pytest.mark.django_db
def test_repeated_session_with_equal_prices_is_one_bar(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHART).respond_with_json(with_live_row(close=173.92999267578125))
    stock(symbol="AAPL", mic="XNAS")
    assert ingest_counts(yahoo, datetime(2023, 9, 21, 21, tzinfo=UTC)) == (3, 0)
    # 63,047,900 shares before the closing auction, 2,000 more with it.
    assert DailyBar.objects.get(session=LAST).volume == 63_049_900
    assert set(QuarantinedBar.objects.values_list("rule", flat=True)) == {"missing_value"}


@pytest.mark.django_db
def test_repeated_session_with_two_closes_is_rejected(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(CHART).respond_with_json(with_live_row(close=174.5))
    stock(symbol="AAPL", mic="XNAS")
    assert ingest_counts(yahoo, datetime(2023, 9, 21, 21, tzinfo=UTC)) == (2, 0)
    assert not DailyBar.objects.filter(session=LAST).exists()
    assert QuarantinedBar.objects.filter(session=LAST, rule="duplicate_session").exists()
    httpserver.expect_oneshot_request(CHART).respond_with_json(recorded("yahoo_chart.json"))
    assert ingest_counts(yahoo, datetime(2023, 9, 22, 21, tzinfo=UTC)) == (1, 0)
    assert DailyBar.objects.get(session=LAST).close == Decimal("173.93")


@pytest.mark.django_db
def test_offline_ingestion_uses_sample_bars(provider_at: MakeProvider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yahoo = provider_at(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.6)
        stocks = [stock(symbol=symbol, mic="XNAS") for symbol in ("AAPL", "AMZN", "GOOG")]
        now = datetime(2023, 9, 21, 21, tzinfo=UTC)
        before = call_count("unavailable")
        runs = ingest_all(through=LAST, now=now, instruments=stocks, providers=[yahoo, SampleProvider()])
    assert [(run.provider, run.bars_new) for run in runs] == [("sample", 2_699)] * 3
    assert runs[0].detail.startswith("yahoo: timed out after 0.6 s. ")
    assert call_count("unavailable") == before + 3


@pytest.mark.parametrize(
    ("ours", "theirs"), [("BRK.B", "BRK-B"), ("0700.HK", "0700.HK"), ("AAPL", "AAPL"), ("VOD.L", "VOD.L")]
)
def test_share_classes_are_written_with_a_dash(ours: str, theirs: str) -> None:
    assert yahoo_symbol(ours) == theirs


@pytest.mark.parametrize(
    ("value", "price"),
    [(27.440000534057617, "27.44"), (173.93, "173.93"), (0.1234567, "0.1234567"), (1.1234567, "1.123457"), (3, "3")],
)
def test_float_becomes_decimal_price(value: float, price: str) -> None:
    assert decimal_price(value) == Decimal(price)


def test_chart_of_another_symbol_is_rejected(yahoo: YahooProvider, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v8/finance/chart/MSFT").respond_with_json(recorded("yahoo_chart.json"))
    with pytest.raises(ProviderUnavailable, match="response is about AAPL instead of MSFT"):
        yahoo.fetch_daily_bars("MSFT", first=FIRST, last=LAST)
    with pytest.raises(ProviderUnavailable, match="response is about AAPL instead of MSFT"):
        yahoo.fetch_quote("MSFT")


@pytest.mark.parametrize("spelling", ["BRK.B", "BRK/B", "BRK-B"])
def test_share_classes_are_requested_with_a_dash(spelling: str) -> None:
    assert yahoo_symbol(spelling) == "BRK-B"


def test_adjusted_closes_are_optional_without_dividends() -> None:
    reply = recorded("yahoo_chart.json")
    series = reply["chart"]["result"][0]
    del series["indicators"]["adjclose"]
    series["events"] = {"dividends": {"1": {"amount": 0.24, "date": 1695043800}}}
    with pytest.raises(ProviderUnavailable, match="unreadable chart"):
        parse_chart(reply, first=FIRST)
    del series["events"]
    bars = parse_chart(reply, first=FIRST).bars
    assert [one.adjusted_close for one in bars] == [one.close for one in bars]
