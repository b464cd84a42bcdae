"""Yahoo's charts, fetched by yfinance: no key, and never more than a few seconds a run."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from re import search, sub
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException
from yfinance.cache import set_cache_location
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFRateLimitError

from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.providers.base import BarRecord, CorporateActionRecord, DailyHistory, QuoteRecord
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import WORDS, failure, failure_kind_of_status, redacted

QUERY_HOST = "https://query2.finance.yahoo.com"
PRICE_DECIMALS = Decimal("0.000001")
ACTION_DECIMALS = Decimal("0.00000001")
MISSING = Decimal("NaN")
CHART_PATH = "/v8/finance/chart/"
PARALLEL_CALLS = 6
COMPLAINTS = (
    (r"unauthorized|too many|rate limit|crumb|forbidden", FailureKind.RATE_LIMITED),
    (r"not found|no data|delisted|doesn't exist|does not exist|invalid", FailureKind.UNKNOWN_SYMBOL),
    (r"internal|unavailable|time-?out|gateway", FailureKind.UNREACHABLE),
)
QUOTE_PARAMETERS = {"range": "1d", "interval": "1d", "includePrePost": "false"}
READING_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError)
# Charts are answered without the cookies that yfinance collects first, so a cookie may not use up the time.
SHARE_FOR_COOKIES = 0.25

# yfinance reports every failed call a second time, in words of its own, with addresses in them.
logging.getLogger("yfinance").setLevel(logging.CRITICAL)


class TimeUsedUp(RequestException):
    """No time is left in this run for another request."""


class _BoundedSession(Session[Response]):
    """A session whose requests together end by a deadline, and which may talk to a stand-in of Yahoo's hosts."""

    def __init__(self, *, seconds: float, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._seconds = seconds
        self._base_url = base_url
        self._deadline: float | None = None
        self._lock = Lock()

    def request(self, method: Any, url: str, *rest: Any, **options: Any) -> Response:
        left = self._time_left()
        if CHART_PATH in url:
            # Only the way to the cookies leads through other addresses.
            options |= {"timeout": left, "allow_redirects": False}
        else:
            options["timeout"] = min(left, self._seconds * SHARE_FOR_COOKIES)
        return super().request(method, self._address(url), *rest, **options)

    def _time_left(self) -> float:
        """Seconds until the deadline, which the first request sets."""
        with self._lock:
            now = time.monotonic()
            if self._deadline is None:
                self._deadline = now + self._seconds
        left = self._deadline - now
        if left <= 0:
            raise TimeUsedUp("no time left")
        return left

    def _address(self, url: str) -> str:
        return url if self._base_url is None else self._base_url.rstrip("/") + urlsplit(url).path


class YahooProvider:
    """One run's worth of questions to Yahoo: `timeout_s` for all of them, and none after one found it out of reach."""

    name = "yahoo"
    parallel_calls = PARALLEL_CALLS

    def __init__(
        self, *, timeout_s: float, base_url: str | None, cache_folder: Path, budget: CallBudget | None = None
    ) -> None:
        cache_folder.mkdir(parents=True, exist_ok=True)
        set_cache_location(str(cache_folder))
        self._budget = budget or CallBudget(self.name)
        self._timeout_s = timeout_s
        self._session = _BoundedSession(seconds=timeout_s, base_url=base_url)
        self._out_of_reach: ProviderUnavailable | None = None

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Yahoo's chart of the symbol; prices are on today's basis: every split so far is applied."""
        with self._budget.recorded():
            reply = self._ask(symbol, _parameters(first, last))
            _require_same_symbol(reply, symbol)
            return read_chart(reply, first=first)

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """The newest price, which Yahoo tells at the head of every chart."""
        with self._budget.recorded():
            reply = self._ask(symbol, QUOTE_PARAMETERS)
            _require_same_symbol(reply, symbol)
            return read_quote(reply, symbol)

    def probe(self) -> None:
        """One cheap call; raises what any call would."""
        self.fetch_quote("IBM")

    def _ask(self, symbol: str, parameters: Mapping[str, Any]) -> Any:
        if self._out_of_reach is not None:
            raise self._out_of_reach
        self._budget.admit()
        url = f"{QUERY_HOST}{CHART_PATH}{yahoo_symbol(symbol)}"
        try:
            response = YfData(session=self._session).get(url, params=dict(parameters), timeout=self._timeout_s)
        except YFRateLimitError as error:
            raise ProviderUnavailable(self.name, WORDS[FailureKind.RATE_LIMITED], FailureKind.RATE_LIMITED) from error
        except (RequestException, YFException, OSError) as error:
            raise self._gave_up(error) from error
        try:
            reply = response.json()
        except ValueError:
            reply = None
        raise_complaint(reply)
        if response.status_code >= 300:
            # There is no key that could be bad: who is locked out has asked too often.
            blocked = response.status_code in (401, 403)
            kind = FailureKind.RATE_LIMITED if blocked else failure_kind_of_status(response.status_code)
            raise failure(self.name, kind, f"answered with status {response.status_code}")
        if reply is None:
            raise failure(self.name, FailureKind.MALFORMED, "answered with something that is not JSON")
        return reply

    def _gave_up(self, error: Exception) -> ProviderUnavailable:
        """Nobody waits for a source a second time in the same run."""
        slow = isinstance(error, TimeUsedUp) or "Timeout" in type(error).__name__
        reason = f"no answer within {self._timeout_s:g} s" if slow else "cannot be reached"
        kind = FailureKind.SLOW if slow else FailureKind.UNREACHABLE
        self._out_of_reach = ProviderUnavailable(self.name, reason, kind, attempted=False)
        return ProviderUnavailable(self.name, reason, kind)


def yahoo_symbol(symbol: str) -> str:
    """Yahoo writes share classes with a dash: BRK-B."""
    return sub(r"[./]([A-E])$", r"-\1", symbol)


def read_chart(reply: Any, *, first: date) -> DailyHistory:
    """A chart reply in our terms; raises ProviderUnavailable for one that cannot be read, ProviderRejected for a no."""
    try:
        series = _series(reply)
        day_of = _day_reader(ZoneInfo(series["meta"]["exchangeTimezoneName"]))
        bars = _told_once(list(_bars(series, day_of)))
        actions = list(_actions(series.get("events") or {}, day_of))
        basis = day_of(series["meta"]["regularMarketTime"])
    except READING_ERRORS as error:
        raise _unreadable() from error
    return DailyHistory([bar for bar in bars if bar.session >= first], actions, basis)


def read_quote(reply: Any, symbol: str) -> QuoteRecord:
    """The price at the head of a chart; raises ProviderUnavailable or ProviderRejected."""
    try:
        meta = _series(reply)["meta"]
        at = datetime.fromtimestamp(meta["regularMarketTime"], tz=ZoneInfo(meta["exchangeTimezoneName"]))
        before = decimal_price(meta.get("chartPreviousClose"))
        quote = QuoteRecord(
            symbol=symbol,
            price=decimal_price(meta["regularMarketPrice"]),
            previous_close=before if before.is_finite() else None,
            volume=meta.get("regularMarketVolume"),
            session=at.date(),
            at=at.astimezone(UTC),
        )
        if not quote.price > 0:
            raise ValueError("no price")
    except READING_ERRORS as error:
        raise _unreadable() from error
    return quote


def _require_same_symbol(reply: Any, symbol: str) -> None:
    """Raise ProviderUnavailable for a chart that names another symbol than was asked for."""
    try:
        told = _series(reply)["meta"].get("symbol")
    except READING_ERRORS as error:
        raise _unreadable() from error
    if told is not None and str(told).upper() != yahoo_symbol(symbol).upper():
        raise failure("yahoo", FailureKind.MALFORMED, "answered about another symbol")


def _series(reply: Any) -> Any:
    """The one series of a chart; raises what a complaint in it raises, and what reading nonsense raises."""
    raise_complaint(reply)
    return reply["chart"]["result"][0]


def raise_complaint(reply: Any) -> None:
    """Raise ProviderUnavailable or ProviderRejected for a reply that holds an error, whatever its status was."""
    parts = [part for part in reply.values() if isinstance(part, dict)] if isinstance(reply, dict) else []
    error = next((part["error"] for part in parts if part.get("error")), None)
    if error is None:
        return
    facts = error if isinstance(error, dict) else {"description": error}
    words = redacted(f"{facts.get('code', '')}: {facts.get('description', '')}".strip(": "), ())
    kind = next((kind for pattern, kind in COMPLAINTS if search(pattern, words.lower())), FailureKind.MALFORMED)
    raise failure("yahoo", kind, f"{WORDS[kind]} ({words})")


def _unreadable() -> ProviderUnavailable:
    return ProviderUnavailable("yahoo", "answered with a chart that cannot be read", FailureKind.MALFORMED)


def _parameters(first: date, last: date) -> dict[str, Any]:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    return {
        "period1": int(start.timestamp()),
        "period2": int(end.timestamp()),
        "interval": "1d",
        "includePrePost": "false",
        "events": "div,splits",
    }


def _day_reader(zone: ZoneInfo) -> Callable[[float], date]:
    """The exchange's calendar day of an instant."""
    return lambda seconds: datetime.fromtimestamp(seconds, tz=zone).date()


def _bars(series: Mapping[str, Any], day_of: Callable[[float], date]) -> Iterator[BarRecord]:
    instants = series.get("timestamp")
    if not instants:
        return
    quote = series["indicators"]["quote"][0]
    # A chart without dividends may leave out what would only repeat the closes.
    unadjusted = [{"adjclose": quote["close"]}] if not (series.get("events") or {}).get("dividends") else []
    adjusted = series["indicators"].get("adjclose", unadjusted)[0]["adjclose"]
    columns = (quote["open"], quote["high"], quote["low"], quote["close"], adjusted, quote["volume"])
    for instant, opened, high, low, close, adjusted_close, volume in zip(instants, *columns, strict=True):
        yield BarRecord(
            session=day_of(instant),
            open=decimal_price(opened),
            high=decimal_price(high),
            low=decimal_price(low),
            close=decimal_price(close),
            adjusted_close=decimal_price(adjusted_close),
            volume=None if volume is None else int(volume),
        )


def _told_once(bars: list[BarRecord]) -> list[BarRecord]:
    """The bars without the newest session's first row, where a second one says the same.

    Yahoo adds a row of the last trade to that of the day, and keeps both for a while after the close. Their prices are
    the same then, and the later row has the volume of the closing auction. Where prices differ both are left, to be
    refused: the next fetch finds one.
    """
    if len(bars) < 2:
        return bars
    *_, day, live = bars
    same = (day.session, *_prices(day)) == (live.session, *_prices(live))
    return [*bars[:-2], live] if same else bars


def _prices(bar: BarRecord) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return bar.open, bar.high, bar.low, bar.close


def _actions(events: Mapping[str, Any], day_of: Callable[[float], date]) -> Iterator[CorporateActionRecord]:
    for split in (events.get("splits") or {}).values():
        ratio = Decimal(str(split["numerator"])) / Decimal(str(split["denominator"]))
        if not ratio > 0:
            raise ValueError(f"a split into {ratio} shares")
        yield CorporateActionRecord(day_of(split["date"]), "split", ratio.quantize(ACTION_DECIMALS))
    for dividend in (events.get("dividends") or {}).values():
        yield CorporateActionRecord(day_of(dividend["date"]), "dividend", _amount(dividend["amount"]))


def _amount(value: float | str) -> Decimal:
    return Decimal(str(value)).quantize(ACTION_DECIMALS)


def decimal_price(value: float | None) -> Decimal:
    """The price that a float stands for: 27.440000534057617 is a float32 and means 27.44."""
    if value is None:
        return MISSING
    number = float(value)
    narrow = np.float32(number)
    if float(narrow) == number:
        return Decimal(np.format_float_positional(narrow, unique=True)).quantize(PRICE_DECIMALS)
    return Decimal(repr(number)).quantize(PRICE_DECIMALS)
