"""Every fault of every HTTP price source: nothing wrong is stored, and the next source is used."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from yfinance.data import YfData

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.models import DailyBar
from marketdata.providers.alpha_vantage import AlphaVantage
from marketdata.providers.base import Provider
from marketdata.providers.failover import fetch_first_quote, provider_results
from marketdata.providers.sample import SampleProvider
from marketdata.providers.yahoo import YahooProvider
from marketdata.services.ingestion import ingest_all
from marketdata.tests.factories import LAST, NOW, FakeBarProvider, bars_between, stock

RECORDED = Path(__file__).parent / "recorded"
# No busy machine is slower than this, so only the fault `slow`, with its short timeout, ends as SLOW.
PATIENT_S, SHORT_S = 60.0, 1.0
MakeSource = Callable[[str, float], Provider]


@pytest.fixture(params=["yahoo", "alpha_vantage"])
def source_at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSource]:
    """Yield a factory of HTTP sources for a base URL and a timeout."""
    YfData._instances.clear()
    if request.param == "yahoo":
        yield lambda url, timeout_s: YahooProvider(timeout_s=timeout_s, base_url=url, cache_folder=tmp_path / "yahoo")
    else:
        yield lambda url, timeout_s: AlphaVantage(AlphaVantageSettings("QK7SECRETKEY42", url, timeout_s=timeout_s))
    YfData._instances.clear()


def half(provider: str) -> bytes:
    """Return the first half of a valid response."""
    name = "yahoo_chart" if provider == "yahoo" else "alpha_vantage_daily_adjusted"
    whole = (RECORDED / f"{name}.json").read_bytes()
    return whole[: len(whole) // 2]


FAULTS: dict[str, tuple[Callable[[str], Response] | None, set[FailureKind]]] = {
    "429": (lambda _: Response("Too Many Requests", status=429), {FailureKind.RATE_LIMITED}),
    "403": (lambda _: Response("no", status=403), {FailureKind.RATE_LIMITED, FailureKind.BAD_KEY}),
    "500": (lambda _: Response("oops", status=500), {FailureKind.UNREACHABLE}),
    "404 page": (lambda _: Response("<html>not here</html>", status=404), {FailureKind.MALFORMED}),
    "empty body": (lambda _: Response(""), {FailureKind.MALFORMED}),
    "html": (lambda _: Response("<html>Will be right back</html>"), {FailureKind.MALFORMED}),
    "truncated": (lambda provider: Response(half(provider)), {FailureKind.MALFORMED}),
    "nothing": (lambda _: Response("{}"), {FailureKind.EMPTY, FailureKind.MALFORMED}),
    "null": (lambda _: Response("null"), {FailureKind.MALFORMED}),
    "slow": (None, {FailureKind.SLOW}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_source_stores_nothing_and_next_is_used(
    source_at: MakeSource, httpserver: HTTPServer, fault: str
) -> None:
    answer, kinds = FAULTS[fault]
    source = source_at(httpserver.url_for("/"), PATIENT_S if answer else SHORT_S)
    released = threading.Event()

    def respond(_request: Request) -> Response:
        if answer is not None:
            return answer(source.name)
        released.wait(PATIENT_S)
        return Response("{}")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(respond)
    try:
        result = next(provider_results([source], "AAPL", first=date(2013, 1, 2), last=LAST))
        assert result.history is None
        assert result.kind in kinds
        following = FakeBarProvider("next", bars_between())
        run = ingest_all(through=LAST, now=NOW, instruments=[stock("AAPL")], providers=[source, following])[0]
    finally:
        released.set()
    assert (run.provider, run.bars_new, run.bars_quarantined) == ("next", 62, 0)
    assert set(DailyBar.objects.values_list("source", flat=True)) == {"next"}


@contextmanager
def resetting() -> Iterator[str]:
    """Yield the URL of a server that resets every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        ended = threading.Event()

        def cut() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.recv(100)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            ended.set()
            thread.join(PATIENT_S)


def test_reset_connection_is_unreachable(source_at: MakeSource) -> None:
    with resetting() as url, pytest.raises(ProviderUnavailable) as caught:
        source_at(url, PATIENT_S).fetch_daily_bars("AAPL", first=date(2013, 1, 2), last=LAST)
    assert caught.value.kind is FailureKind.UNREACHABLE


@pytest.mark.django_db
def test_partial_split_leaves_stored_series(httpserver: HTTPServer) -> None:
    reply = json.loads((RECORDED / "alpha_vantage_daily_adjusted.json").read_text())
    first, last = date(2024, 6, 6), date(2024, 6, 11)
    now = datetime(2024, 6, 11, 21, tzinfo=UTC)
    httpserver.expect_ordered_request("/query").respond_with_json(reply)
    broken = json.loads(json.dumps(reply))
    for fields in broken["Time Series (Daily)"].values():
        fields["8. split coefficient"] = "1.0"
    httpserver.expect_ordered_request("/query").respond_with_json(broken)
    nvidia = stock("NVDA", mic="XNAS")
    source = AlphaVantage(AlphaVantageSettings("QK7SECRETKEY42", httpserver.url_for("/"), timeout_s=2.0))
    for _ in range(2):
        ingest_all(through=last, now=now, instruments=[nvidia], providers=[source])
    closes = dict(DailyBar.objects.filter(session__gte=first).values_list("session__day", "close"))
    assert closes == {6: Decimal("120.998"), 7: Decimal("120.888"), 10: Decimal("121.79"), 11: Decimal("120.91")}


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize(
    ("part", "code", "description", "kind"),
    [
        ("chart", "Not Found", "No data found, symbol may be delisted", FailureKind.UNKNOWN_SYMBOL),
        ("chart", "Bad Request", "Data doesn't exist for startDate = 1", FailureKind.UNKNOWN_SYMBOL),
        ("finance", "Unauthorized", "Invalid Crumb", FailureKind.RATE_LIMITED),
        ("finance", "Too Many Requests", "Rate limited", FailureKind.RATE_LIMITED),
        ("chart", "internal-error", "x", FailureKind.UNREACHABLE),
        ("chart", "?", "", FailureKind.MALFORMED),
    ],
)
def test_yahoo_error_body_outranks_status(
    httpserver: HTTPServer, tmp_path: Path, status: int, part: str, code: str, description: str, kind: FailureKind
) -> None:
    YfData._instances.clear()
    body = {part: {"result": None, "error": {"code": code, "description": description}}}
    httpserver.expect_request("/v8/finance/chart/AAPL").respond_with_json(body, status=status)
    yahoo = YahooProvider(timeout_s=2.0, base_url=httpserver.url_for("/"), cache_folder=tmp_path)
    offer = next(provider_results([yahoo], "AAPL", first=date(2013, 1, 2), last=LAST))
    assert offer.kind is kind
    YfData._instances.clear()


def test_yahoo_returns_a_quote(httpserver: HTTPServer, tmp_path: Path) -> None:
    YfData._instances.clear()
    chart = json.loads((RECORDED / "yahoo_chart.json").read_text())
    httpserver.expect_request("/v8/finance/chart/AAPL").respond_with_json(chart)
    yahoo = YahooProvider(timeout_s=2.0, base_url=httpserver.url_for("/"), cache_folder=tmp_path)
    meta = chart["chart"]["result"][0]["meta"]
    quote = yahoo.fetch_quote("AAPL")
    assert (float(quote.price), quote.session) == (meta["regularMarketPrice"], date(2023, 9, 21))
    assert quote.at == datetime.fromtimestamp(meta["regularMarketTime"], UTC)
    YfData._instances.clear()


def test_quote_comes_from_first_working_source(httpserver: HTTPServer) -> None:
    quote = json.loads((RECORDED / "alpha_vantage_quote.json").read_text())
    httpserver.expect_request("/down/query").respond_with_data("", status=429)
    httpserver.expect_request("/up/query").respond_with_json(quote)
    down, up = (
        AlphaVantage(AlphaVantageSettings("QK7SECRETKEY42", httpserver.url_for(path), timeout_s=1.0))
        for path in ("/down", "/up")
    )
    name, quote = fetch_first_quote([SampleProvider(), down, up], "NVDA")
    assert (name, quote.price) == ("alpha_vantage", Decimal("120.91"))
    with pytest.raises(ProviderUnavailable) as caught:
        fetch_first_quote([down], "NVDA")
    assert caught.value.kind is FailureKind.RATE_LIMITED
    with pytest.raises(ProviderRejected, match="no quote provider"):
        fetch_first_quote([SampleProvider()], "NVDA")
