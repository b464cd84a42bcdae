"""Parse Yahoo's charts: bars, corporate actions, quotes, and what the chart says about the listing. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from re import search, sub
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.provider_records import BarRecord, CorporateActionRecord, QuoteRecord, VendorListing, round_price
from marketdata.providers.base import DailyHistory
from marketdata.providers.http import MESSAGES, failure, redact
from marketdata.providers.vendor_fields import clean_text

ACTION_DECIMALS = Decimal("0.00000001")
MISSING = Decimal("NaN")
# Far above any price: the quality rules reject it, and its decimals do not matter.
BEYOND_PRICES = 1e15
# MICs of Yahoo's exchange codes; codes of markets without a calendar, such as over-the-counter, are left out.
EXCHANGES = {
    **dict.fromkeys(("NYQ", "NMS", "NGM", "NCM", "NAS", "ASE", "PCX", "BTS"), "XNYS"),
    "TOR": "XTSE",
    "SAO": "BVMF",
    "LSE": "XLON",
    "GER": "XETR",
    "PAR": "XPAR",
    "AMS": "XAMS",
    "BRU": "XBRU",
    "MIL": "XMIL",
    "MCE": "XMAD",
    "EBS": "XSWX",
    "STO": "XSTO",
    "HEL": "XHEL",
    "CPH": "XCSE",
    "OSL": "XOSL",
    "JPX": "XTKS",
    "HKG": "XHKG",
    "SHH": "XSHG",
    "KSC": "XKRX",
    "TAI": "XTAI",
    "ASX": "XASX",
    "TLV": "XTAE",
    "JNB": "XJSE",
    "CCC": "24/7",
}
ERROR_PATTERNS = (
    (r"unauthorized|too many|rate limit|crumb|forbidden", FailureKind.RATE_LIMITED),
    (r"not found|no data|delisted|doesn't exist|does not exist|invalid", FailureKind.UNKNOWN_SYMBOL),
    (r"internal|unavailable|time-?out|gateway", FailureKind.UNREACHABLE),
)
PARSE_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError)


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
        listing = _listing(series["meta"])
        price = decimal_price(series["meta"].get("regularMarketPrice"))
    except PARSE_ERRORS as error:
        raise _unreadable_chart() from error
    last_price = price if price.is_finite() else None
    return DailyHistory([bar for bar in bars if bar.session >= first], actions, basis, listing, last_price)


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
            listing=_listing(meta),
        )
        if not quote.price > 0:
            raise ValueError("invalid price")
    except PARSE_ERRORS as error:
        raise _unreadable_chart() from error
    return quote


def require_same_symbol(reply: Any, symbol: str) -> None:
    """Raise ProviderUnavailable for a chart of another symbol than requested."""
    try:
        returned = _series(reply)["meta"].get("symbol")
    except PARSE_ERRORS as error:
        raise _unreadable_chart() from error
    requested = yahoo_symbol(symbol)
    if returned is not None and str(returned).upper() != requested.upper():
        found = clean_text(str(returned), longest=32)
        raise failure("yahoo", FailureKind.MALFORMED, f"response is about {found} instead of {requested}")


def _listing(meta: Mapping[str, Any]) -> VendorListing:
    code = clean_text(meta.get("exchangeName"), longest=8)
    return VendorListing(
        time_zone=clean_text(meta.get("exchangeTimezoneName"), longest=64),
        exchange=EXCHANGES.get(code, ""),
        currency=clean_text(meta.get("currency"), longest=8),
    )


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
    if not math.isfinite(number):
        return MISSING
    if abs(number) >= BEYOND_PRICES:
        return Decimal(repr(number))
    narrow = np.float32(number)
    if float(narrow) == number:
        return round_price(Decimal(np.format_float_positional(narrow, unique=True)))
    return round_price(Decimal(repr(number)))
