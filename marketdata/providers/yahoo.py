"""Yahoo charts through yfinance: no key, bounded to a few seconds per run."""

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
from marketdata.provider_records import BarRecord, CorporateActionRecord, QuoteRecord
from marketdata.providers.base import DailyHistory
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import MESSAGES, failure, failure_kind_of_status, redact

QUERY_HOST = "https://query2.finance.yahoo.com"
PRICE_DECIMALS = Decimal("0.000001")
ACTION_DECIMALS = Decimal("0.00000001")
MISSING = Decimal("NaN")
CHART_PATH = "/v8/finance/chart/"
PARALLEL_CALLS = 6
ERROR_PATTERNS = (
    (r"unauthorized|too many|rate limit|crumb|forbidden", FailureKind.RATE_LIMITED),
    (r"not found|no data|delisted|doesn't exist|does not exist|invalid", FailureKind.UNKNOWN_SYMBOL),
    (r"internal|unavailable|time-?out|gateway", FailureKind.UNREACHABLE),
)
QUOTE_PARAMETERS = {"range": "1d", "interval": "1d", "includePrePost": "false"}
PARSE_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError)
# Charts need no cookies, so yfinance's cookie requests get only a share of the time.
COOKIE_TIME_SHARE = 0.25

# yfinance logs every failed call again, including URLs.
logging.getLogger("yfinance").setLevel(logging.CRITICAL)


class DeadlineExceeded(RequestException):
    """No time is left in this run for another request."""


class _BoundedSession(Session[Response]):
    """Session with one deadline for all requests and an optional substitute for Yahoo's hosts."""

    def __init__(self, *, seconds: float, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._seconds = seconds
        self._base_url = base_url
        self._deadline: float | None = None
        self._lock = Lock()

    def request(self, method: Any, url: str, *rest: Any, **options: Any) -> Response:
        left = self._time_left()
        if CHART_PATH in url:
            # Only cookie requests may be redirected.
            options |= {"timeout": left, "allow_redirects": False}
        else:
            options["timeout"] = min(left, self._seconds * COOKIE_TIME_SHARE)
        return super().request(method, self._substitute_host(url), *rest, **options)

    def _time_left(self) -> float:
        """Return the seconds until the deadline, which the first request starts."""
        with self._lock:
            now = time.monotonic()
            if self._deadline is None:
                self._deadline = now + self._seconds
        left = self._deadline - now
        if left <= 0:
            raise DeadlineExceeded("no time left")
        return left

    def _substitute_host(self, url: str) -> str:
        return url if self._base_url is None else self._base_url.rstrip("/") + urlsplit(url).path


class YahooProvider:
    """Yahoo client for one run: `timeout_s` for all requests, none after Yahoo was unreachable."""

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
        self._unreachable: ProviderUnavailable | None = None

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Fetch the chart of the symbol; Yahoo's prices are split-adjusted as of today."""
        with self._budget.recorded():
            reply = self._get_chart(symbol, _parameters(first, last))
            _require_same_symbol(reply, symbol)
            return parse_chart(reply, first=first)

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """Fetch the latest price from the metadata of a chart."""
        with self._budget.recorded():
            reply = self._get_chart(symbol, QUOTE_PARAMETERS)
            _require_same_symbol(reply, symbol)
            return parse_chart_quote(reply, symbol)

    def probe(self) -> None:
        """Make one cheap call; raises as any call does."""
        self.fetch_quote("IBM")

    def _get_chart(self, symbol: str, parameters: Mapping[str, Any]) -> Any:
        if self._unreachable is not None:
            raise self._unreachable
        self._budget.admit()
        url = f"{QUERY_HOST}{CHART_PATH}{yahoo_symbol(symbol)}"
        try:
            response = YfData(session=self._session).get(url, params=dict(parameters), timeout=self._timeout_s)
        except YFRateLimitError as error:
            raise ProviderUnavailable(
                self.name, MESSAGES[FailureKind.RATE_LIMITED], FailureKind.RATE_LIMITED
            ) from error
        except (RequestException, YFException, OSError) as error:
            raise self._connection_failure(error) from error
        try:
            reply = response.json()
        except ValueError:
            reply = None
        raise_vendor_error(reply)
        if response.status_code >= 300:
            # Yahoo needs no key, so 401 and 403 mean rate limiting.
            blocked = response.status_code in (401, 403)
            kind = FailureKind.RATE_LIMITED if blocked else failure_kind_of_status(response.status_code)
            raise failure(self.name, kind, f"status {response.status_code}")
        if reply is None:
            raise failure(self.name, FailureKind.MALFORMED, "response is not JSON")
        return reply

    def _connection_failure(self, error: Exception) -> ProviderUnavailable:
        """Build the error, and fail later requests of this run at once."""
        slow = isinstance(error, DeadlineExceeded) or "Timeout" in type(error).__name__
        reason = f"timed out after {self._timeout_s:g} s" if slow else "unreachable"
        kind = FailureKind.SLOW if slow else FailureKind.UNREACHABLE
        self._unreachable = ProviderUnavailable(self.name, reason, kind, attempted=False)
        return ProviderUnavailable(self.name, reason, kind)


def yahoo_symbol(symbol: str) -> str:
    """Return Yahoo's spelling, with a dash for share classes: BRK-B."""
    return sub(r"[./]([A-E])$", r"-\1", symbol)


def parse_chart(reply: Any, *, first: date) -> DailyHistory:
    """Parse a chart; raises ProviderUnavailable for an unreadable one, ProviderRejected for a refusal."""
    try:
        series = _series(reply)
        day_of = _day_reader(ZoneInfo(series["meta"]["exchangeTimezoneName"]))
        bars = _drop_repeated_row(list(_bars(series, day_of)))
        actions = list(_actions(series.get("events") or {}, day_of))
        basis = day_of(series["meta"]["regularMarketTime"])
    except PARSE_ERRORS as error:
        raise _unreadable_chart() from error
    return DailyHistory([bar for bar in bars if bar.session >= first], actions, basis)


def parse_chart_quote(reply: Any, symbol: str) -> QuoteRecord:
    """Parse the latest price of a chart; raises ProviderUnavailable or ProviderRejected."""
    try:
        meta = _series(reply)["meta"]
        at = datetime.fromtimestamp(meta["regularMarketTime"], tz=ZoneInfo(meta["exchangeTimezoneName"]))
        previous = decimal_price(meta.get("chartPreviousClose"))
        quote = QuoteRecord(
            symbol=symbol,
            price=decimal_price(meta["regularMarketPrice"]),
            previous_close=previous if previous.is_finite() else None,
            session=at.date(),
            at=at.astimezone(UTC),
        )
        if not quote.price > 0:
            raise ValueError("invalid price")
    except PARSE_ERRORS as error:
        raise _unreadable_chart() from error
    return quote


def _require_same_symbol(reply: Any, symbol: str) -> None:
    """Raise ProviderUnavailable for a chart of another symbol than requested."""
    try:
        returned = _series(reply)["meta"].get("symbol")
    except PARSE_ERRORS as error:
        raise _unreadable_chart() from error
    if returned is not None and str(returned).upper() != yahoo_symbol(symbol).upper():
        raise failure("yahoo", FailureKind.MALFORMED, "response is about another symbol")


def _series(reply: Any) -> Any:
    """Return the one series of a chart; raises vendor errors and parse errors."""
    raise_vendor_error(reply)
    return reply["chart"]["result"][0]


def raise_vendor_error(reply: Any) -> None:
    """Raise ProviderUnavailable or ProviderRejected for an error in the body, whatever the status."""
    parts = [part for part in reply.values() if isinstance(part, dict)] if isinstance(reply, dict) else []
    error = next((part["error"] for part in parts if part.get("error")), None)
    if error is None:
        return
    details = error if isinstance(error, dict) else {"description": error}
    message = redact(f"{details.get('code', '')}: {details.get('description', '')}".strip(": "), ())
    kind = next((kind for pattern, kind in ERROR_PATTERNS if search(pattern, message.lower())), FailureKind.MALFORMED)
    raise failure("yahoo", kind, f"{MESSAGES[kind]} ({message})")


def _unreadable_chart() -> ProviderUnavailable:
    return ProviderUnavailable("yahoo", "unreadable chart", FailureKind.MALFORMED)


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
    """Return a function from Unix time to the exchange's local day."""
    return lambda seconds: datetime.fromtimestamp(seconds, tz=zone).date()


def _bars(series: Mapping[str, Any], day_of: Callable[[float], date]) -> Iterator[BarRecord]:
    instants = series.get("timestamp")
    if not instants:
        return
    quote = series["indicators"]["quote"][0]
    # A chart without dividends may omit the adjusted closes, which equal the closes.
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


def _drop_repeated_row(bars: list[BarRecord]) -> list[BarRecord]:
    """Drop the first of two rows of the newest session with equal prices.

    After the close Yahoo returns both the daily row and a row of the last trade for a while. The later row includes the
    closing auction's volume. If prices differ both rows stay and are rejected; the next fetch returns one.
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
            raise ValueError(f"invalid split ratio: {ratio}")
        yield CorporateActionRecord(day_of(split["date"]), "split", ratio.quantize(ACTION_DECIMALS))
    for dividend in (events.get("dividends") or {}).values():
        yield CorporateActionRecord(day_of(dividend["date"]), "dividend", _amount(dividend["amount"]))


def _amount(value: float | str) -> Decimal:
    return Decimal(str(value)).quantize(ACTION_DECIMALS)


def decimal_price(value: float | None) -> Decimal:
    """Return the decimal price of a float: 27.440000534057617 is the float32 of 27.44."""
    if value is None:
        return MISSING
    number = float(value)
    narrow = np.float32(number)
    if float(narrow) == number:
        return Decimal(np.format_float_positional(narrow, unique=True)).quantize(PRICE_DECIMALS)
    return Decimal(repr(number)).quantize(PRICE_DECIMALS)
