"""Alpha Vantage's plain series, which lists no splits: a hidden split is never stored wrongly."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.models import CorporateAction, DailyBar, Instrument
from marketdata.providers.alpha_vantage import AlphaVantage
from marketdata.services.ingestion import ingest_all
from marketdata.tests.factories import FakeBarProvider, bars_between, stock

RECORDED = Path(__file__).parent / "recorded"
KEY = "QK7SECRETKEY42"
FIRST, LAST = date(2024, 6, 6), date(2024, 6, 11)
NOW = datetime(2024, 6, 11, 21, tzinfo=UTC)
PREMIUM = {"Information": "Thank you for using Alpha Vantage! This is a premium endpoint."}
TEN_FOR_ONE = {
    "symbol": "NVDA",
    "data": [
        {"effective_date": "2024-06-10", "split_factor": "10.0000"},
        {"effective_date": "2021-07-20", "split_factor": "4.0000"},
    ],
}
LEVELS = {6: Decimal("120.998"), 7: Decimal("120.888"), 10: Decimal("121.79"), 11: Decimal("120.91")}
Body = dict[str, Any]


def recorded(name: str) -> Body:
    reply: Body = json.loads((RECORDED / f"alpha_vantage_{name}.json").read_text())
    return reply


def as_traded() -> Body:
    """Return the recorded NVIDIA series around its split of 10 June 2024, without the split columns."""
    reply = recorded("daily_adjusted")
    adjustment_fields = ("5. adjusted close", "7. dividend amount", "8. split coefficient")
    for row in reply["Time Series (Daily)"].values():
        for name in adjustment_fields:
            del row[name]
    return reply


def rows(closes: Mapping[str, object]) -> Body:
    """Build a plain series with four equal prices per day."""
    return {
        "Meta Data": {"2. Symbol": "NVDA"},
        "Time Series (Daily)": {
            day: {
                **{f"{place}. {name}": str(close) for place, name in enumerate(("open", "high", "low", "close"), 1)},
                "5. volume": "1000",
            }
            for day, close in closes.items()
        },
    }


@pytest.fixture
def vendor(httpserver: HTTPServer) -> AlphaVantage:
    return AlphaVantage(AlphaVantageSettings(KEY, httpserver.url_for("/"), timeout_s=1.0))


@pytest.fixture
def nvidia(db: None) -> Instrument:
    return stock("NVDA", mic="XNAS")


def serve_plain_series(httpserver: HTTPServer, series: Body, splits: object, status: int = 200) -> None:
    """Serve a key without access to the adjusted series."""
    replies = {"TIME_SERIES_DAILY_ADJUSTED": PREMIUM, "TIME_SERIES_DAILY": series, "SPLITS": splits}

    def answer(request: Request) -> Response:
        function = request.args["function"]
        return Response(json.dumps(replies[function]), status if function == "SPLITS" else 200)

    httpserver.expect_request("/query").respond_with_handler(answer)


def requested_functions(httpserver: HTTPServer) -> list[str]:
    return [request.args["function"] for request, _ in httpserver.log]


def closes() -> dict[int, Decimal]:
    return dict(DailyBar.objects.filter(session__gte=FIRST).values_list("session__day", "close"))


def test_plain_series_split_is_fetched_and_applied_once(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_plain_series(httpserver, as_traded(), TEN_FOR_ONE)
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    # 1208.88 / 10 on the Friday before; nothing on the days after.
    assert {bar.session.day: bar.close for bar in history.bars} == LEVELS
    assert {bar.session.day: bar.adjusted_close for bar in history.bars} == LEVELS
    assert [(one.kind, one.session, one.value) for one in history.actions] == [("split", date(2024, 6, 10), 10)]
    assert requested_functions(httpserver) == ["TIME_SERIES_DAILY_ADJUSTED", "TIME_SERIES_DAILY", "SPLITS"]


def test_calm_series_needs_no_second_call(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    # 114 / 100 is less than a split of 1.15:1.
    serve_plain_series(httpserver, rows({"2024-06-07": 100, "2024-06-10": 114, "2024-06-11": 100}), TEN_FOR_ONE)
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert [bar.close for bar in history.bars] == [100, 114, 100]
    assert requested_functions(httpserver) == ["TIME_SERIES_DAILY_ADJUSTED", "TIME_SERIES_DAILY"]


@pytest.mark.parametrize(
    ("series", "factor", "expected"),
    [
        # 5:4, which price rules alone cannot distinguish from a large overnight fall.
        ({"2024-06-07": 100, "2024-06-10": 80, "2024-06-11": 82}, "1.25", [80, 80, 82]),
        # 3:2, across a missing session.
        ({"2024-06-06": 150, "2024-06-10": 100, "2024-06-11": 101}, "1.5", [100, 100, 101]),
        # 1:10: fewer shares.
        ({"2024-06-07": 1, "2024-06-10": 10, "2024-06-11": 10}, "0.1", [10, 10, 10]),
    ],
)
def test_every_split_ratio_is_looked_up(
    vendor: AlphaVantage, httpserver: HTTPServer, series: dict[str, Any], factor: str, expected: list[int]
) -> None:
    splits = {"symbol": "NVDA", "data": [{"effective_date": "2024-06-10", "split_factor": factor}]}
    serve_plain_series(httpserver, rows(series), splits)
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert [bar.close for bar in history.bars] == expected


def test_split_after_missing_price_is_not_guessed(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_plain_series(httpserver, rows({"2024-06-06": 1500, "2024-06-07": "-", "2024-06-10": 150}), TEN_FOR_ONE)
    with pytest.raises(ProviderUnavailable, match="does not show in the prices") as caught:
        vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert caught.value.kind is FailureKind.PARTIAL


def test_overnight_drop_without_split_is_unchanged(vendor: AlphaVantage, httpserver: HTTPServer) -> None:
    serve_plain_series(
        httpserver, rows({"2024-06-07": 100, "2024-06-10": 65, "2024-06-11": 66}), {"symbol": "NVDA", "data": []}
    )
    history = vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert ([bar.close for bar in history.bars], history.actions) == ([100, 65, 66], [])


@pytest.mark.parametrize(
    ("splits", "status", "kind"),
    [
        (PREMIUM, 200, FailureKind.PARTIAL),
        ({"Error Message": "Invalid API call."}, 200, FailureKind.PARTIAL),
        ({}, 200, FailureKind.PARTIAL),
        (None, 200, FailureKind.PARTIAL),
        ({"symbol": "NVDL", "data": []}, 200, FailureKind.PARTIAL),
        ({"symbol": "NVDA", "data": [{"effective_date": "2024-06-10", "split_factor": "0"}]}, 200, FailureKind.PARTIAL),
        ({"symbol": "NVDA", "data": [{"effective_date": "soon", "split_factor": "10"}]}, 200, FailureKind.PARTIAL),
        ({"Information": "25 requests per day"}, 200, FailureKind.QUOTA_SPENT),
        ({}, 429, FailureKind.RATE_LIMITED),
        ({}, 500, FailureKind.UNREACHABLE),
        # The list is ahead of the prices, which do not show the split of the 11th.
        (
            {"symbol": "NVDA", "data": [{"effective_date": "2024-06-11", "split_factor": "10"}]},
            200,
            FailureKind.PARTIAL,
        ),
    ],
)
def test_partial_split_is_not_stored_and_next_source_is_used(
    vendor: AlphaVantage, httpserver: HTTPServer, nvidia: Instrument, splits: object, status: int, kind: FailureKind
) -> None:
    serve_plain_series(httpserver, as_traded(), splits, status)
    with pytest.raises(ProviderUnavailable) as caught:
        vendor.fetch_daily_bars("NVDA", first=FIRST, last=LAST)
    assert caught.value.kind is kind
    assert KEY not in str(caught.value)
    fresh = AlphaVantage(AlphaVantageSettings(KEY, httpserver.url_for("/"), timeout_s=1.0))
    second = FakeBarProvider("second", bars_between(FIRST, LAST))
    run = ingest_all(through=LAST, now=NOW, instruments=[nvidia], providers=[fresh, second])[0]
    assert (run.provider, run.bars_new) == ("second", 4)
    assert not CorporateAction.objects.exists()


def test_stored_series_keeps_level_on_partial_split(
    vendor: AlphaVantage, httpserver: HTTPServer, nvidia: Instrument
) -> None:
    httpserver.expect_oneshot_request("/query").respond_with_json(recorded("daily_adjusted"))
    ingest_all(through=LAST, now=NOW, instruments=[nvidia], providers=[vendor])
    assert closes() == LEVELS
    serve_plain_series(httpserver, as_traded(), {"symbol": "NVDA", "data": []})
    for _ in range(2):
        ingest_all(through=LAST, now=NOW, instruments=[nvidia], providers=[vendor])
    assert closes() == LEVELS


def test_split_between_runs_changes_stored_basis(httpserver: HTTPServer, nvidia: Instrument) -> None:
    whole = as_traded()
    early = as_traded()
    early["Time Series (Daily)"] = {day: row for day, row in early["Time Series (Daily)"].items() if day < "2024-06-10"}
    friday = datetime(2024, 6, 7, 21, tzinfo=UTC)
    for series, through, now in ((early, date(2024, 6, 7), friday), (whole, LAST, NOW)):
        httpserver.clear()
        serve_plain_series(httpserver, series, TEN_FOR_ONE)
        source = AlphaVantage(AlphaVantageSettings(KEY, httpserver.url_for("/"), timeout_s=1.0))
        run = ingest_all(through=through, now=now, instruments=[nvidia], providers=[source])[0]
        assert (run.status, run.bars_quarantined) == ("done", 0)
    assert closes() == LEVELS
