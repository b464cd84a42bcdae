"""Sources that lie: for every lie what is stored and which sentence is reported; nothing stored is wrong."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from yfinance.data import YfData

from marketdata.conf import AlphaVantageSettings
from marketdata.models import CorporateAction, DailyBar, HistoryReview, IngestionRun, Instrument, QuarantinedBar
from marketdata.providers.alpha_vantage import AlphaVantage
from marketdata.providers.yahoo import YahooProvider
from marketdata.services.ingestion import ingest_all
from marketdata.tests import lying_charts as lies
from marketdata.tests.factories import stock
from marketdata.tests.lying_charts import Chart, true_chart, true_sessions

pytestmark = pytest.mark.django_db

NOW = datetime(2023, 3, 31, 21, 0, tzinfo=UTC)
PATIENT_S = 60.0
ALL, NONE = 0, None
PAGE = Path(__file__).parents[2] / "docs" / "data-quality.md"
CHARTS = "/v8/finance/chart/"

# Lie: how many sessions are missing in the store (NONE: nothing is stored), and the reported sentence.
LIES: dict[str, tuple[Callable[[Chart], None], int | None, str]] = {
    "truth": (lambda chart: None, ALL, ""),
    "newest but two x100": (lies.scale(100, -3, -2), 1, "prices are 100 times the others, like pence and pounds."),
    "close is null": (lies.set_cells("close", value=None), 1, "The close is not a number."),
    "close is NaN": (lies.set_cells("close", value=float("nan")), 1, "The close is not a number."),
    "close is infinite": (lies.set_cells("close", value=float("inf")), 1, "The close is not a number."),
    "close 1e300": (lies.set_cells("close", value=1e300), 1, "which is too large for a stock."),
    "negative close": (lies.set_cells("close", value=lambda price: -price), 1, "which is not a valid price."),
    "zero open": (lies.set_cells("open", value=0.0), 1, "The open is 0"),
    "high below low": (lies.high_below_low, 1, "is below the low"),
    "a day twice": (lies.day_twice, 1, "The source has several different bars for 2023-03-29."),
    "a future day": (lies.future_day, ALL, "The session of 2023-04-03 has not closed yet."),
    "a Sunday": (lies.sunday, ALL, "is not a session of XNYS."),
    "older half x2": (lies.older_half(2.0), NONE, "137 bars are on the other level."),
    "older half x3": (lies.older_half(3.0), NONE, "137 bars are on the other level."),
    "newest but two open x100": (lies.set_cells("open", value=lambda price: price * 100), 1, "The open, "),
    "volume 1e30": (lies.set_cells("volume", value=int(1e30)), 1, "The volume exceeds the largest storable value."),
    "negative volume": (lies.set_cells("volume", value=-5), 1, "The volume is -5."),
    "volume is null": (lies.set_cells("volume", value=None), 1, "The volume is missing."),
    "newest 20 flat": (lies.copies(20), NONE, "repeats the one of 2023-03-30 to the last share"),
    "newest is a copy": (lies.copies(1), NONE, "its bar of 2023-03-31 repeats the one of 2023-03-30"),
    "newest first": (lies.reverse, ALL, ""),
    "columns of different length": (lambda chart: chart.columns["close"].pop(), NONE, "yahoo: unreadable chart"),
    "all days one day late": (lies.one_day_late, NONE, "are no sessions of XNYS"),
    "another symbol": (lies.set_meta(symbol="MSFT"), NONE, "response is about MSFT instead of LIAR"),
    "pence": (lies.set_meta(currency="GBp"), NONE, "in GBp, but the instrument's currency is USD"),
    "yen": (lies.set_meta(currency="JPY"), NONE, "its prices are in JPY, but the instrument's currency is USD"),
    "Tokyo time": (lies.set_meta(exchangeTimezoneName="Asia/Tokyo"), NONE, "its time zone is Asia/Tokyo, but XNYS"),
    "no time zone": (lies.set_meta(exchangeTimezoneName="Moon/Base"), NONE, "yahoo: unreadable chart"),
    "Tokyo exchange": (lies.set_meta(exchangeName="JPX"), NONE, "its exchange is XTKS, but the instrument's is XNYS"),
    "newest 30 x1.5": (lies.scale(1.5, -30), NONE, "without a split, a dividend or unusual volume."),
    "newest 30 x0.7": (lies.scale(0.7, -30), NONE, "without a split, a dividend or unusual volume."),
    "newest x1.5": (lies.scale(1.5, -1), NONE, "without a split, a dividend or unusual volume."),
    "newest 20 x4": (lies.scale(4.0, -20), 20, "20 bars are on the other level."),
    "newest 40 x4": (lies.scale(4.0, -40), NONE, "40 bars are on the other level."),
    "another stock from the middle on": (lies.another_stock, NONE, "times the previous close without unusual trading"),
    "a month shifted by a day": (lies.month_shifted, NONE, "equal those of"),
    "adjusted closes x10": (lies.adjusted_times(10), NONE, "its newest adjusted close"),
    "older adjusted closes halved": (lies.adjusted_times(0.5, 0, 100), NONE, "but it reports no dividend"),
    "a dividend of half the price": (lies.false_dividend(50.0), NONE, "but it reports a dividend of 50"),
    "a dividend of 3": (lies.false_dividend(3.0), NONE, "but it reports a dividend of 3"),
    "newest close +4%": (lies.newest_close(1.04), NONE, "contradicts its own last price"),
    "newest close -4%": (lies.newest_close(0.96), NONE, "contradicts its own last price"),
    "prices as text": (lies.as_text, ALL, ""),
    "unfinished session": (lies.unfinished, ALL, ""),
}
# Lies that a single response does not show; `docs/data-quality.md` lists them.
UNKNOWABLE: dict[str, Callable[[Chart], None]] = {
    "a close inside its bar": lies.close_inside_bar,
    "one whole bar +8%": lies.scale(1.08, -60, -59),
    "a split that never was": lies.false_split,
}
RAW: dict[str, tuple[Callable[[Request], Response], str]] = {
    "redirect": (lambda _: Response("", 302, {"Location": "http://127.0.0.1:1/x"}), "status 302"),
    "page": (lambda _: Response("<html>soon</html>"), "response is not JSON"),
    "another shape": (lambda _: Response('{"chart": {"result": [[1, 2]]}}'), "unreadable chart"),
    "unending brackets": (lambda _: Response("[" * 200_000), "response is not JSON"),
}


@pytest.fixture
def yahoo(httpserver: HTTPServer, tmp_path: Path) -> YahooProvider:
    YfData._instances.clear()
    return YahooProvider(timeout_s=PATIENT_S, base_url=httpserver.url_for("/"), cache_folder=tmp_path)


def serve_chart(httpserver: HTTPServer, chart: Chart) -> None:
    httpserver.expect_request(f"{CHARTS}{chart.symbol}").respond_with_data(json.dumps(chart.body()))


def ingest_beside_honest(httpserver: HTTPServer, yahoo: YahooProvider, symbol: str = "LIAR") -> IngestionRun:
    """Ingest the liar beside an honest stock, which must be complete, and return the liar's run."""
    serve_chart(httpserver, true_chart("HONEST"))
    pair = [Instrument.objects.get(symbol=symbol), stock("HONEST")]
    run, honest = ingest_all(through=lies.LAST_TRUE, now=NOW, instruments=pair, providers=[yahoo])
    assert (honest.status, honest.bars_new, honest.bars_quarantined) == ("done", len(true_sessions()), 0)
    return run


def sentences(run: IngestionRun) -> str:
    """Return all that is reported about the run."""
    rejected = QuarantinedBar.objects.filter(instrument=run.instrument_id).values_list("reason", flat=True)
    reviews = HistoryReview.objects.filter(instrument=run.instrument_id).values_list("finding", flat=True)
    return "\n".join([run.detail, *rejected, *reviews])


def wrong_bars(instrument_id: int) -> int:
    """Count stored bars that differ from the truth."""
    true = true_chart("LIAR")
    rows = zip(true_sessions(), *true.columns.values(), true.volume, strict=True)
    truth = {day: (*(Decimal(str(price)) for price in prices), volume) for day, *prices, volume in rows}
    stored = DailyBar.objects.filter(instrument=instrument_id).values_list(
        "session", "open", "high", "low", "close", "adjusted_close", "volume"
    )
    return sum(truth.get(day) != tuple(values) for day, *values in stored)


@pytest.mark.parametrize("name", LIES)
def test_lie_is_reported_and_never_stored(httpserver: HTTPServer, yahoo: YahooProvider, name: str) -> None:
    lie, missing, sentence = LIES[name]
    chart = true_chart("LIAR")
    lie(chart)
    serve_chart(httpserver, chart)
    liar = stock("LIAR")
    run = ingest_beside_honest(httpserver, yahoo)
    stored = DailyBar.objects.filter(instrument=liar).count()
    assert sentence in sentences(run)
    assert stored == (0 if missing is None else len(true_sessions()) - missing)
    assert wrong_bars(liar.pk) == 0
    assert run.status == ("failed" if missing is None else "done")


@pytest.mark.parametrize("name", UNKNOWABLE)
def test_unknowable_lies_stay_as_documented(httpserver: HTTPServer, yahoo: YahooProvider, name: str) -> None:
    chart = true_chart("LIAR")
    UNKNOWABLE[name](chart)
    serve_chart(httpserver, chart)
    liar = stock("LIAR")
    run = ingest_beside_honest(httpserver, yahoo)
    assert (run.status, run.bars_quarantined) == ("done", 0)
    assert wrong_bars(liar.pk) + CorporateAction.objects.count() == 1
    assert f"| {name} |" in PAGE.read_text()


@pytest.mark.parametrize("name", RAW)
def test_lying_response_costs_only_itself(httpserver: HTTPServer, yahoo: YahooProvider, name: str) -> None:
    answer, sentence = RAW[name]
    httpserver.expect_request(f"{CHARTS}LIAR").respond_with_handler(answer)
    liar = stock("LIAR")
    run = ingest_beside_honest(httpserver, yahoo)
    assert sentence in run.detail
    assert not DailyBar.objects.filter(instrument=liar).exists()


def test_pence_are_stored_in_pounds(httpserver: HTTPServer, yahoo: YahooProvider) -> None:
    chart = true_chart("LIAR")
    chart.meta.update(currency="GBp", exchangeName="LSE", exchangeTimezoneName="Europe/London")
    serve_chart(httpserver, chart)
    liar = stock("LIAR", mic="XLON", currency="GBP")
    ingest_beside_honest(httpserver, yahoo)
    newest = DailyBar.objects.filter(instrument=liar).latest("session")
    assert newest.close == Decimal(str(chart.columns["close"][-1])) / 100


def test_second_edition_on_another_level_replaces_nothing(httpserver: HTTPServer, yahoo: YahooProvider) -> None:
    httpserver.expect_oneshot_request(f"{CHARTS}LIAR").respond_with_data(json.dumps(true_chart("LIAR").body()))
    liar = stock("LIAR")
    ingest_beside_honest(httpserver, yahoo)
    chart = true_chart("LIAR")
    chart.scale(1.1, 0)
    chart.meta["regularMarketPrice"] = chart.columns["close"][-1]
    serve_chart(httpserver, chart)
    liar.refresh_from_db()
    (run,) = ingest_all(through=lies.LAST_TRUE, now=NOW, instruments=[liar], providers=[yahoo])
    assert "All prices are 1.1 times the stored ones, which no split explains." in run.detail
    assert (wrong_bars(liar.pk), DailyBar.objects.filter(instrument=liar).count()) == (0, len(true_sessions()))


def alpha_vantage_body(chart: Chart) -> dict[str, Any]:
    """Return the chart as Alpha Vantage's adjusted daily series."""
    rows = {}
    for at, day in enumerate(true_sessions()):
        prices = {f"{number}. {name}": str(chart.columns[name][at]) for number, name in enumerate(lies.NAMES[:4], 1)}
        rows[day.isoformat()] = prices | {
            "5. adjusted close": str(chart.columns["adjclose"][at]),
            "6. volume": str(chart.volume[at]),
            "7. dividend amount": "0.0000",
            "8. split coefficient": "1.0",
        }
    return {
        "Meta Data": {"2. Symbol": "LIAR", "5. Time Zone": "US/Eastern"},
        "Time Series (Daily)": dict(reversed(rows.items())),
    }


def set_field(name: str, value: str, day: str = "2023-03-29") -> Callable[[dict[str, Any]], None]:
    def lie(body: dict[str, Any]) -> None:
        body["Time Series (Daily)"][day][name] = value

    return lie


def later_days(body: dict[str, Any]) -> None:
    series = body["Time Series (Daily)"]
    body["Time Series (Daily)"] = {
        (date.fromisoformat(day) + timedelta(days=1)).isoformat(): row for day, row in series.items()
    }


def newest_copied(body: dict[str, Any]) -> None:
    series = body["Time Series (Daily)"]
    series["2023-03-31"] = dict(series["2023-03-30"])


def newest_scaled(body: dict[str, Any]) -> None:
    for day, row in body["Time Series (Daily)"].items():
        if day >= "2023-03-01":
            row.update({name: f"{float(row[name]) * 1.5:.2f}" for name in list(row)[:5]})


ALPHA_VANTAGE_LIES: dict[str, tuple[Callable[[dict[str, Any]], None], int | None, str]] = {
    "truth": (lambda body: None, ALL, ""),
    "another symbol": (lambda body: body["Meta Data"].update({"2. Symbol": "MSFT"}), NONE, "MSFT instead of LIAR"),
    "Tokyo time": (lambda body: body["Meta Data"].update({"5. Time Zone": "Asia/Tokyo"}), NONE, "Asia/Tokyo, but XNYS"),
    "close is text": (set_field("4. close", "n/a"), 1, "The close is not a number."),
    "negative low": (set_field("3. low", "-4"), 1, "The low is -4"),
    "volume with decimals": (set_field("6. volume", "1.5"), 1, "The volume is missing."),
    "newest is a copy": (newest_copied, NONE, "its bar of 2023-03-31 repeats the one of 2023-03-30"),
    "all days one day late": (later_days, NONE, "are no sessions of XNYS"),
    "newest month x1.5": (newest_scaled, NONE, "without a split, a dividend or unusual volume."),
    "a dividend that never was": (set_field("7. dividend amount", "20"), NONE, "but it reports a dividend of 20"),
    "a split that never was": (set_field("8. split coefficient", "4"), NONE, "does not show in the prices"),
    "newest adjusted": (set_field("5. adjusted close", "300", "2023-03-31"), NONE, "its newest adjusted close"),
    "a day that is none": (
        lambda body: body["Time Series (Daily)"].update({"2023-02-30": {}}), NONE, "unreadable response"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALPHA_VANTAGE_LIES)
def test_alpha_vantage_lie_is_reported_and_never_stored(httpserver: HTTPServer, name: str) -> None:
    lie, missing, sentence = ALPHA_VANTAGE_LIES[name]
    body = alpha_vantage_body(true_chart("LIAR"))
    lie(body)
    httpserver.expect_request("/query").respond_with_json(body)
    liar = stock("LIAR")
    vendor = AlphaVantage(AlphaVantageSettings("QK7SECRETKEY42", httpserver.url_for("/"), timeout_s=PATIENT_S))
    (run,) = ingest_all(through=lies.LAST_TRUE, now=NOW, instruments=[liar], providers=[vendor])
    assert sentence in sentences(run)
    assert DailyBar.objects.count() == (0 if missing is None else len(true_sessions()) - missing)
    assert wrong_bars(liar.pk) == 0
