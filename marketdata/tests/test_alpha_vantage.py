"""Alpha Vantage with recorded responses, including errors with status 200."""

import json
import logging
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.serializers import serialize
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.models import CorporateAction, DailyBar, IngestionRun, QuarantinedBar
from marketdata.providers.alpha_vantage import AlphaVantage, parse_vendor_message, to_vendor_symbol
from marketdata.services.ingestion import ingest_all
from marketdata.tests.factories import FakeBarProvider, bars_between, stock

RECORDED = Path(__file__).parent / "recorded"
KEY = "QK7SECRETKEY42"
FIRST, LAST = date(2024, 6, 6), date(2024, 6, 11)
FAILED = (ProviderUnavailable, ProviderRejected)
PREMIUM = (
    "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium plans."
)
QUOTA = (
    f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. Please subscribe "
    "to any of the premium plans at https://www.alphavantage.co/premium/ to instantly remove all daily rate limits."
)
BURST = (
    "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly "
    "(1 request per second). You may subscribe to lift the free key rate limit (25 requests per day)."
)
FREQUENCY = "Our standard API call frequency is 5 calls per minute and 500 calls per day."
BAD_KEY = "the parameter apikey is invalid or missing. Please claim your free API key on our site."
BAD_CALL = "Invalid API call. Please retry or visit the documentation for TIME_SERIES_DAILY."


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"alpha_vantage_{name}.json").read_text())


@pytest.fixture
def vendor(httpserver: HTTPServer) -> AlphaVantage:
    return AlphaVantage(AlphaVantageSettings(KEY, httpserver.url_for("/"), timeout_s=1.0))


def serve_functions(httpserver: HTTPServer, **replies: Any) -> None:
    """Serve these bodies for the named functions to requests with the key."""

    def answer(request: Request) -> Response:
        assert request.args["apikey"] == KEY
        return Response(json.dumps(replies[request.args["function"]]), content_type="application/json")

    httpserver.expect_request("/query").respond_with_handler(answer)


def requested_functions(httpserver: HTTPServer) -> list[tuple[str, str | None]]:
    return [(request.args["function"], request.args.get("outputsize")) for request, _ in httpserver.log]


def fetch_error(vendor: AlphaVantage) -> ProviderUnavailable | ProviderRejected:
    with pytest.raises(FAILED) as caught:
        vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert isinstance(caught.value, FAILED)
    return caught.value


def test_split_is_applied_once(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=recorded("daily_adjusted"))
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    # Ten new shares for one old before the open of 10 June: 1208.88 / 10, and ten times as many shares traded.
    assert [(one.session.day, one.close, one.volume) for one in history.bars] == [
        (6, Decimal("120.998"), 664_695_990 + 10),
        (7, Decimal("120.888"), 412_386_000),
        (10, Decimal("121.79"), 314_162_700),
        (11, Decimal("120.91"), 222_551_200),
    ]
    assert [bar.adjusted_close for bar in history.bars][:2] == [Decimal("120.98"), Decimal("120.87")]
    assert [(one.kind, one.session.day, one.value) for one in history.actions] == [
        ("split", 10, Decimal(10)),
        ("dividend", 11, Decimal("0.01")),
    ]
    # The basis is that of the newest row, which is after the requested range.
    assert history.basis_date == date(2024, 6, 12)


def test_dividend_before_split_is_per_new_share(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    reply = recorded("daily_adjusted")
    reply["Time Series (Daily)"]["2024-06-07"]["7. dividend amount"] = "0.0400"
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=reply)
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert history.actions[0].value == Decimal("0.004")


@pytest.mark.parametrize("coefficient", ["10.0", "0.0", "-2", "nan", "ten"])
def test_split_missing_in_prices_is_rejected(vendor: AlphaVantage, httpserver: HTTPServer, coefficient: str) -> None:
    reply = recorded("daily_adjusted")
    rows = reply["Time Series (Daily)"]
    # The prices are already on the new basis, but the split is still listed.
    for day in ("2024-06-06", "2024-06-07"):
        for name in ("1. open", "2. high", "3. low", "4. close"):
            rows[day][name] = str(Decimal(rows[day][name]) / 10)
    rows["2024-06-10"]["8. split coefficient"] = coefficient
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=reply)
    error = fetch_error(vendor)
    assert error.kind is FailureKind.PARTIAL
    assert "2024-06-10" in error.reason


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"Error Message": BAD_CALL}, FailureKind.UNKNOWN_SYMBOL),
        ({"Error Message": BAD_KEY}, FailureKind.BAD_KEY),
        ({"Note": FREQUENCY}, FailureKind.RATE_LIMITED),
        ({"Information": BURST}, FailureKind.RATE_LIMITED),
        ({"Information": QUOTA}, FailureKind.QUOTA_SPENT),
        ({"Information": "The **demo** API key is for demo purposes only."}, FailureKind.BAD_KEY),
        ({"Information": "Something new."}, FailureKind.MALFORMED),
        ({}, FailureKind.EMPTY),
        ({"Meta Data": {}, "Time Series (Daily)": {}}, FailureKind.EMPTY),
        ([], FailureKind.MALFORMED),
        (None, FailureKind.MALFORMED),
        ({"Time Series (Daily)": {"2024-06-11": {}}}, FailureKind.MALFORMED),
        ({"Meta Data": {"2. Symbol": "NVDA"}, "Time Series (Daily)": {"soon": {}}}, FailureKind.MALFORMED),
        ({"Meta Data": {"2. Symbol": "NVDL"}, "Time Series (Daily)": {"2024-06-11": {}}}, FailureKind.MALFORMED),
        (recorded("daily_adjusted") | {"Note": FREQUENCY}, FailureKind.RATE_LIMITED),
    ],
)
def test_errors_in_body_are_classified(
    vendor: AlphaVantage, httpserver: HTTPServer, body: Any, kind: FailureKind
) -> None:
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=body)
    error = fetch_error(vendor)
    assert error.kind is kind
    assert KEY not in str(error)


def test_missing_price_is_nan(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    reply = recorded("daily_adjusted")
    reply["Time Series (Daily)"]["2024-06-11"] |= {"2. high": "None", "6. volume": "-"}
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=reply)
    newest = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST).bars[-1]
    assert newest.high.is_nan()
    assert newest.volume is None


def test_key_without_adjusted_series_uses_plain_series(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_functions(
        httpserver, TIME_SERIES_DAILY_ADJUSTED={"Information": PREMIUM}, TIME_SERIES_DAILY=recorded("daily")
    )
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert [(bar.close, bar.adjusted_close) for bar in history.bars] == [(Decimal("120.91"), Decimal("120.91"))]
    vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    adjusted, plain = ("TIME_SERIES_DAILY_ADJUSTED", "full"), ("TIME_SERIES_DAILY", "full")
    assert requested_functions(httpserver) == [adjusted, plain, plain]


def test_key_without_any_series_is_rejected(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    no = {"Information": PREMIUM}
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=no, TIME_SERIES_DAILY=no)
    assert fetch_error(vendor).kind is FailureKind.BAD_KEY
    assert requested_functions(httpserver)[-1] == ("TIME_SERIES_DAILY", "compact")


def test_slow_vendor_is_tried_once_per_run(httpserver: HTTPServer) -> None:
    released, requests = threading.Event(), []

    def late(request: Request) -> Response:
        requests.append(request)
        released.wait(60)
        return Response("{}")

    httpserver.expect_request("/query").respond_with_handler(late)
    vendor = AlphaVantage(AlphaVantageSettings(KEY, httpserver.url_for("/"), timeout_s=0.3))
    assert [fetch_error(vendor).kind for _ in range(5)] == [FailureKind.SLOW] * 5
    released.set()
    assert len(requests) == 1


def test_quote_is_parsed(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_functions(httpserver, GLOBAL_QUOTE=recorded("quote"))
    quote = vendor.fetch_quote("NVDA")
    assert (quote.price, quote.previous_close, quote.session) == (Decimal("120.91"), Decimal("121.79"), LAST)


def test_delayed_quote_is_parsed(httpserver: HTTPServer) -> None:
    delayed = {"Global Quote - DATA DELAYED BY 15 MINUTES": recorded("quote")["Global Quote"]}
    serve_functions(httpserver, GLOBAL_QUOTE=delayed)
    vendor = AlphaVantage(AlphaVantageSettings(KEY, httpserver.url_for("/query"), timeout_s=1.0))
    assert vendor.fetch_quote("NVDA").price == Decimal("120.91")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"Global Quote": {}}, FailureKind.UNKNOWN_SYMBOL),
        ({}, FailureKind.MALFORMED),
        ({"Global Quote": {"01. symbol": "NVDA", "05. price": "0.0000"}}, FailureKind.MALFORMED),
        ({"Information": QUOTA}, FailureKind.QUOTA_SPENT),
    ],
)
def test_empty_quote_means_unknown_symbol(
    vendor: AlphaVantage, httpserver: HTTPServer, body: Any, kind: FailureKind
) -> None:
    serve_functions(httpserver, GLOBAL_QUOTE=body)
    with pytest.raises(FAILED) as caught:
        vendor.fetch_quote("NVDA")
    assert isinstance(caught.value, FAILED)
    assert caught.value.kind is kind


def test_best_match_comes_first(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_functions(httpserver, SYMBOL_SEARCH=recorded("search"))
    found = vendor.search_symbols("tesco")
    assert [(match.symbol, match.listed_as, match.mic, match.kind, match.currency, match.score) for match in found] == [
        ("TSCDF", "TSCDF", "XNYS", "Equity", "USD", 0.9143),
        ("TSCO.LON", "TSCO.L", "XLON", "Equity", "GBX", 0.7273),
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("NVDA", "NVDA"), ("BRK.B", "BRK-B"), ("BRK-B", "BRK-B"), ("VOD.L", "VOD.LON"), ("VOD.LON", "VOD.LON")],
)
def test_symbols_use_vendor_spelling(ours: str, theirs: str) -> None:
    assert to_vendor_symbol(ours) == theirs


@pytest.mark.parametrize("symbol", ["^GSPC", "0700.HK", "EURUSD=X"])
def test_unsupported_symbol_is_not_requested(vendor: AlphaVantage, httpserver: HTTPServer, symbol: str) -> None:
    with pytest.raises(ProviderRejected, match="is not supported"):
        vendor.fetch_daily_bars(symbol, first=FIRST, last=LAST)
    assert httpserver.log == []


def test_response_without_message_is_no_error() -> None:
    assert parse_vendor_message(recorded("daily_adjusted")) is None


@pytest.mark.django_db
def test_bars_are_stored_with_their_split(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=recorded("daily_adjusted"))
    nvidia = stock(symbol="NVDA", mic="XNAS")
    now = datetime(2024, 6, 11, 21, tzinfo=UTC)
    run = ingest_all(through=LAST, now=now, instruments=[nvidia], providers=[vendor])[0]
    assert (run.provider, run.bars_new, run.bars_quarantined) == ("alpha_vantage", 4, 0)
    assert DailyBar.objects.get(session=date(2024, 6, 7)).close == Decimal("120.888")
    assert CorporateAction.objects.get(kind="split").value == 10
    again = ingest_all(through=LAST, now=now, instruments=[nvidia], providers=[vendor])[0]
    assert again.detail == "Nothing changed."


@pytest.mark.django_db
def test_compact_series_is_not_joined_over_a_gap(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    def compact(first: date, last: date) -> Any:
        rows = {
            f"{bar.session}": {
                "1. open": f"{bar.open}",
                "2. high": f"{bar.high}",
                "3. low": f"{bar.low}",
                "4. close": f"{bar.close}",
                "5. volume": f"{bar.volume}",
            }
            for bar in bars_between(date(2023, 1, 3), last)
            if bar.session >= first
        }
        return {"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": rows}

    replies: dict[str, Any] = {"TIME_SERIES_DAILY_ADJUSTED": {"Information": PREMIUM}}

    def answer(request: Request) -> Response:
        full = request.args["function"] == "TIME_SERIES_DAILY" and request.args["outputsize"] == "full"
        reply = {"Information": PREMIUM} if full else replies[request.args["function"]]
        return Response(json.dumps(reply), content_type="application/json")

    httpserver.expect_request("/query").respond_with_handler(answer)
    ibm = stock(symbol="IBM")

    def ingest_once(first: date, last: date) -> IngestionRun:
        replies["TIME_SERIES_DAILY"] = compact(first, last)
        now = datetime(last.year, last.month, last.day, 22, tzinfo=UTC)
        run = ingest_all(through=last, now=now, instruments=[ibm], providers=[vendor])[0]
        ibm.refresh_from_db()
        return run

    assert ingest_once(date(2023, 1, 3), date(2023, 3, 1)).status == "done"
    # One common session is enough to continue; XNYS had 10 more up to 15 March.
    assert ingest_once(date(2023, 3, 1), date(2023, 3, 15)).bars_new == 10
    refused = ingest_once(date(2023, 3, 17), date(2023, 8, 9))
    assert (refused.status, refused.bars_new) == ("failed", 0)
    assert "(2023-03-17 to 2023-08-09) do not overlap the stored ones (2023-01-03 to 2023-03-15)" in (refused.detail)
    assert DailyBar.objects.order_by("session").last() == DailyBar.objects.get(session=date(2023, 3, 15))


@pytest.mark.django_db
@pytest.mark.parametrize("message", [{"Information": QUOTA}, {"Error Message": QUOTA}, {"Note": f"{KEY.lower()}?"}])
def test_key_is_never_stored_or_logged(
    vendor: AlphaVantage, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, capfd: Any, message: dict[str, str]
) -> None:
    serve_functions(httpserver, TIME_SERIES_DAILY_ADJUSTED=message)
    now = datetime(2023, 3, 31, 21, tzinfo=UTC)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        run = ingest_all(
            through=date(2023, 3, 31),
            now=now,
            instruments=[stock()],
            providers=[vendor, FakeBarProvider("second", bars_between())],
        )[0]
    assert run.provider == "second"
    assert run.detail.startswith("alpha_vantage: ")
    tables = (IngestionRun, QuarantinedBar, DailyBar)
    stored = "".join(serialize("json", table.objects.all()) for table in tables)
    printed = "".join(capfd.readouterr())
    assert len(stored) > 1_000
    for text in (stored, caplog.text, printed):
        assert KEY.lower() not in text.lower()
