"""Yahoo charts through yfinance: no key; one slow symbol does not end the run."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException
from yfinance.cache import set_cache_location
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFRateLimitError

from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.provider_records import QuoteRecord
from marketdata.providers.base import DailyHistory
from marketdata.providers.bodies import MAX_BODY_BYTES, BodyRefused, BoundedBody
from marketdata.providers.budget import FAILURES_TO_OPEN, CallBudget
from marketdata.providers.http import MESSAGES, failure, failure_kind_of_status
from marketdata.providers.yahoo_chart import (
    parse_chart,
    parse_chart_quote,
    raise_vendor_error,
    require_same_symbol,
    yahoo_symbol,
)

QUERY_HOST = "https://query2.finance.yahoo.com"
CHART_PATH = "/v8/finance/chart/"
PARALLEL_CALLS = 6
QUOTE_PARAMETERS = {"range": "1d", "interval": "1d", "includePrePost": "false"}
# Charts need no cookies, so yfinance's cookie requests get only a share of the time.
COOKIE_TIME_SHARE = 0.25

# yfinance logs every failed call again, including URLs.
logging.getLogger("yfinance").setLevel(logging.CRITICAL)


class DeadlineExceeded(RequestException):
    """No time is left in this run for another request."""


class BodyTooLarge(RequestException):
    """The decompressed body exceeds the limit."""


class _BoundedSession(Session[Response]):
    """Session with bounded bodies and an optional substitute for Yahoo's hosts.

    Each request ends within `seconds`. Until the first answer, all requests together end within `seconds`.
    """

    def __init__(self, *, seconds: float, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._seconds = seconds
        self._base_url = base_url
        self._deadline: float | None = None
        self._lock = Lock()
        self._has_answered = False
        self._failures = 0

    def request(self, method: Any, url: str, *rest: Any, **options: Any) -> Response:
        left = self._time_left()
        is_chart = CHART_PATH in url
        if is_chart:
            # Only cookie requests may be redirected.
            options |= {"timeout": left, "allow_redirects": False}
        else:
            options["timeout"] = min(left, self._seconds * COOKIE_TIME_SHARE)
        # curl decompresses in pieces of a few kilobytes.
        body = BoundedBody("", MAX_BODY_BYTES)
        refusals: list[BodyRefused] = []

        def collect(piece: bytes) -> int:
            try:
                body.feed(piece)
            except BodyRefused as error:
                refusals.append(error)
                return CURL_WRITEFUNC_ERROR
            return len(piece)

        options["content_callback"] = collect
        try:
            response = super().request(method, self._substitute_host(url), *rest, **options)
        except RequestException:
            if refusals:
                raise BodyTooLarge(str(refusals[0])) from None
            raise
        response.content = body.content()
        if is_chart:
            with self._lock:
                self._has_answered, self._failures = True, 0
        return response

    def _time_left(self) -> float:
        """Return the seconds until the deadline, which the first request starts."""
        with self._lock:
            now = time.monotonic()
            if self._deadline is None:
                self._deadline = now + self._seconds
            left = self._seconds if self._has_answered else self._deadline - now
        if left <= 0:
            raise DeadlineExceeded("no time left")
        return left

    def is_given_up(self) -> bool:
        """Count a failed request; return whether Yahoo never answered, or failed as often as opens the circuit."""
        with self._lock:
            self._failures += 1
            return not self._has_answered or self._failures >= FAILURES_TO_OPEN

    def _substitute_host(self, url: str) -> str:
        return url if self._base_url is None else self._base_url.rstrip("/") + urlsplit(url).path


class YahooProvider:
    """Yahoo client for one run: `timeout_s` for each answer, no request after Yahoo was unreachable."""

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
            require_same_symbol(reply, symbol)
            return parse_chart(reply, first=first)

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """Fetch the latest price from the metadata of a chart."""
        with self._budget.recorded():
            reply = self._get_chart(symbol, QUOTE_PARAMETERS)
            require_same_symbol(reply, symbol)
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
        except BodyTooLarge as error:
            raise failure(self.name, FailureKind.MALFORMED, str(error)) from error
        except (RequestException, YFException, OSError) as error:
            raise self._connection_failure(error) from error
        try:
            reply = response.json()
        except (ValueError, RecursionError):
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
        """Build the error; later requests of this run fail at once if Yahoo is given up."""
        slow = isinstance(error, DeadlineExceeded) or "Timeout" in type(error).__name__
        reason = f"timed out after {self._timeout_s:g} s" if slow else "unreachable"
        kind = FailureKind.SLOW if slow else FailureKind.UNREACHABLE
        if self._session.is_given_up():
            self._unreachable = ProviderUnavailable(self.name, reason, kind, attempted=False)
        return ProviderUnavailable(self.name, reason, kind)


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
