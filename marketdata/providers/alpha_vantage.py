"""Alpha Vantage: daily bars, quotes and symbol search; needs a key and reports errors with status 200."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.provider_records import QuoteRecord, SymbolMatch, VendorListing
from marketdata.providers.alpha_vantage_series import Day, apply_splits, newest_gap, to_daily_history
from marketdata.providers.base import DailyHistory
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import Vendor, VendorError, failure, get_json
from marketdata.providers.vendor_fields import clean_text

NAME = "alpha_vantage"
# Vendor suffix: our (Yahoo's) suffix and the MIC, empty where no calendar exists.
EXCHANGES = {
    "LON": ("L", "XLON"),
    "DEX": ("DE", "XETR"),
    "FRK": ("F", "XFRA"),
    "TRT": ("TO", "XTSE"),
    "TRV": ("V", "XTSX"),
    "PAR": ("PA", "XPAR"),
    "AMS": ("AS", "XAMS"),
    "SHH": ("SS", "XSHG"),
    "SHZ": ("SZ", ""),
    "BSE": ("BO", "XBOM"),
    "SAO": ("SA", "BVMF"),
}
SUFFIXES = {ours: theirs for theirs, (ours, _) in EXCHANGES.items()}
# US symbols have no suffix; the vendor does not name the exchange, and US exchanges share a calendar.
HOME_REGION, HOME_MIC = "United States", "XNYS"
PATH = "query"
SERIES = "Time Series (Daily)"
QUOTE = "Global Quote"
MATCHES = "bestMatches"
ERROR_FIELDS = ("Error Message", "Note", "Information")
# Series functions by preference; keys differ in what they allow.
SERIES_REQUESTS = (
    ("TIME_SERIES_DAILY_ADJUSTED", "full"),
    ("TIME_SERIES_DAILY", "full"),
    ("TIME_SERIES_DAILY", "compact"),
)
# Every attempt counts against a small daily quota.
ATTEMPTS = 2
NOT_IN_PLAN = "not in this key's plan"
# Failures after which a retry for the splits is pointless.
NO_SPLITS_AVAILABLE = frozenset(
    {FailureKind.UNKNOWN_SYMBOL, FailureKind.BAD_KEY, FailureKind.EMPTY, FailureKind.MALFORMED}
)
UNREACHABLE_KINDS = frozenset({FailureKind.SLOW, FailureKind.UNREACHABLE})
MISSING = Decimal("NaN")
Parsed = TypeVar("Parsed")
PARSE_ERRORS = (KeyError, StopIteration, TypeError, AttributeError, ValueError, ArithmeticError)


class AlphaVantage:
    """Alpha Vantage client for one run; sends nothing more after the vendor was unreachable."""

    name = NAME
    parallel_calls = 1

    def __init__(self, settings: AlphaVantageSettings, *, budget: CallBudget | None = None) -> None:
        self._key = settings.api_key
        self._budget = budget or CallBudget(NAME)
        self._vendor = vendor_from_settings(settings)
        self._unreachable: ProviderUnavailable | None = None
        self._request_index = 0

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Fetch the sessions first..last, split-adjusted as of today.

        Keys without access to the adjusted series get the plain one, which has no splits and dividends. If its prices
        show an overnight move like a split, the list of splits is fetched too; without it the call fails.
        """
        vendor_symbol = to_vendor_symbol(symbol)
        with self._budget.recorded():
            reply = self._fetch_series(vendor_symbol)
            days = _parse(lambda: parse_days(reply, vendor_symbol))
            if not has_split_column(reply):
                days = self._add_splits(days, vendor_symbol)
            history = _parse(lambda: to_daily_history(NAME, days, first=first, last=last))
            return replace(history, listing=parse_series_listing(reply, vendor_symbol))

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """Fetch the latest price, which may be of the previous session."""
        vendor_symbol = to_vendor_symbol(symbol)
        with self._budget.recorded():
            reply = self._get(function="GLOBAL_QUOTE", symbol=vendor_symbol)
            return _parse(lambda: parse_global_quote(reply, symbol, vendor_symbol))

    def search_symbols(self, text: str) -> list[SymbolMatch]:
        """Search instruments, best match first; the result may be empty."""
        with self._budget.recorded():
            reply = self._get(function="SYMBOL_SEARCH", keywords=text)
            return _parse(lambda: parse_matches(reply))

    def probe(self) -> None:
        """Make one cheap call; raises as any call does."""
        self.fetch_quote("IBM")

    def _fetch_series(self, vendor_symbol: str) -> Any:
        """Fetch the best series the key allows, remembering refused functions for the run."""
        while True:
            function, size = SERIES_REQUESTS[self._request_index]
            try:
                return self._get(function=function, symbol=vendor_symbol, outputsize=size)
            except ProviderRejected as error:
                if NOT_IN_PLAN not in error.reason or self._request_index + 1 == len(SERIES_REQUESTS):
                    raise
                self._request_index += 1

    def _add_splits(self, days: Sequence[Day], vendor_symbol: str) -> Sequence[Day]:
        """Add splits to the days; calls the vendor only if prices suggest a split."""
        gap = newest_gap(days)
        if gap is None:
            return days
        try:
            reply = self._get(function="SPLITS", symbol=vendor_symbol)
            splits = _parse(lambda: parse_splits(reply, vendor_symbol))
        except (ProviderUnavailable, ProviderRejected) as error:
            if error.kind not in NO_SPLITS_AVAILABLE:
                raise
        else:
            return apply_splits(days, splits)
        raise failure(NAME, FailureKind.PARTIAL, f"no split data to explain the price gap on {gap}")

    def _get(self, **parameters: str) -> Any:
        if self._unreachable is not None:
            raise self._unreachable
        try:
            return get_json(self._vendor, PATH, {**parameters, "apikey": self._key}, admit=self._budget.admit)
        except ProviderUnavailable as error:
            if error.attempted and error.kind in UNREACHABLE_KINDS:
                self._unreachable = ProviderUnavailable(NAME, error.reason, error.kind, attempted=False)
            raise


def vendor_from_settings(settings: AlphaVantageSettings) -> Vendor:
    """Build the vendor from settings; `base_url` may include the API path or not."""
    return Vendor(
        NAME,
        settings.base_url.rstrip("/").removesuffix(f"/{PATH}"),
        settings.timeout_s,
        secrets=(settings.api_key,),
        parse_error_body=parse_vendor_message,
        attempts=ATTEMPTS,
    )


def parse_vendor_message(body: Any) -> VendorError | None:
    """Classify a response's `Error Message`, `Note` or `Information`; None without any."""
    if not isinstance(body, Mapping):
        return None
    value = next((body[name] for name in ERROR_FIELDS if name in body), None)
    if value is None:
        return None
    message = str(value)
    low = message.lower()
    if re.search(r"\bis a premium\b", low):
        return VendorError(FailureKind.BAD_KEY, NOT_IN_PLAN)
    if re.search(r"invalid (api call|inputs)", low):
        return VendorError(FailureKind.UNKNOWN_SYMBOL)
    if "no articles found" in low:
        return VendorError(FailureKind.EMPTY)
    if re.search(r"per (second|minute)|sparingly|burst|call frequency", low):
        return VendorError(FailureKind.RATE_LIMITED)
    if re.search(r"per day|daily rate|rate limit", low):
        return VendorError(FailureKind.QUOTA_SPENT)
    if re.search(r"api ?key", low):
        return VendorError(FailureKind.BAD_KEY)
    return VendorError(FailureKind.MALFORMED, message)


def parse_days(reply: Mapping[str, Any], vendor_symbol: str) -> Sequence[Day]:
    """Parse a daily series; the plain one has no splits and dividends."""
    rows = reply.get(SERIES)
    if not rows:
        raise failure(NAME, FailureKind.EMPTY)
    _require_same_symbol(vendor_symbol, str(reply["Meta Data"]["2. Symbol"]))
    return list(_days(rows))


def parse_series_listing(reply: Mapping[str, Any], vendor_symbol: str) -> VendorListing:
    """Return the time zone of a US listing; the vendor prints the US zone for other listings too, and no currency."""
    zone = "" if "." in vendor_symbol else clean_text(reply["Meta Data"].get("5. Time Zone"), longest=64)
    return VendorListing(time_zone=zone, states_currency=False)


def has_split_column(reply: Mapping[str, Any]) -> bool:
    """Return whether every row of the series has a split coefficient."""
    return all("split coefficient" in _plain_names(row) for row in reply[SERIES].values())


def parse_splits(reply: Mapping[str, Any], vendor_symbol: str) -> dict[date, Decimal]:
    """Map effective dates to split ratios (new shares per old share)."""
    _require_same_symbol(vendor_symbol, str(reply["symbol"]))
    splits = {date.fromisoformat(row["effective_date"]): Decimal(row["split_factor"]) for row in reply["data"]}
    if not all(ratio.is_finite() and ratio > 0 for ratio in splits.values()):
        raise failure(NAME, FailureKind.MALFORMED, "invalid split ratio")
    return splits


def parse_global_quote(reply: Mapping[str, Any], symbol: str, vendor_symbol: str) -> QuoteRecord:
    """Parse a quote; an empty one means that the vendor does not know the symbol."""
    # The field name can have a suffix: "Global Quote - DATA DELAYED BY 15 MINUTES".
    quote = _plain_names(next(fields for name, fields in reply.items() if name.startswith(QUOTE)))
    if not quote:
        raise failure(NAME, FailureKind.UNKNOWN_SYMBOL)
    _require_same_symbol(vendor_symbol, str(quote["symbol"]))
    price = _number(quote["price"])
    if not price.is_finite() or price <= 0:
        raise failure(NAME, FailureKind.MALFORMED, "invalid price")
    previous = _number(quote.get("previous close"))
    return QuoteRecord(
        symbol=symbol,
        price=price,
        previous_close=previous if previous.is_finite() and previous > 0 else None,
        session=date.fromisoformat(quote["latest trading day"]),
        at=None,
        delayed=True,
        listing=VendorListing(states_currency=False),
    )


def parse_matches(reply: Mapping[str, Any]) -> list[SymbolMatch]:
    """Parse search results, best match first."""
    found = [_match(_plain_names(match)) for match in reply[MATCHES]]
    return sorted(found, key=lambda match: -match.score)


def to_vendor_symbol(symbol: str) -> str:
    """Convert to the vendor's spelling: dash for share classes, its own exchange suffixes; raises ProviderRejected.

    Unsupported exchanges are rejected here, because the vendor would return another stock.
    """
    if re.fullmatch(r"[A-Z0-9]+", symbol):
        return symbol
    if re.fullmatch(r"[A-Z0-9]+[.\-/][A-E]", symbol):
        return re.sub(r"[./]", "-", symbol)
    match = re.fullmatch(r"([A-Z0-9\-]+)\.([A-Z]+)", symbol)
    if match is not None and match[2] in EXCHANGES:
        return symbol
    if match is None or match[2] not in SUFFIXES:
        raise ProviderRejected(NAME, f"{symbol} is not supported")
    return f"{match[1]}.{SUFFIXES[match[2]]}"


def parse_listing(symbol: str, region: str) -> tuple[str, str]:
    """Return our symbol for the vendor's, and the MIC, empty if unknown."""
    stem, _, suffix = symbol.rpartition(".")
    if stem and suffix in EXCHANGES:
        ours, mic = EXCHANGES[suffix]
        return f"{stem}.{ours}", mic
    return re.sub(r"-([A-E])$", r".\1", symbol), HOME_MIC if region == HOME_REGION else ""


def _match(fields: Mapping[str, Any]) -> SymbolMatch:
    symbol, region = str(fields["symbol"]), str(fields.get("region", ""))
    listed_as, mic = parse_listing(symbol, region)
    return SymbolMatch(
        symbol=symbol,
        name=str(fields["name"]),
        region=region,
        currency=str(fields.get("currency", "")),
        score=float(fields.get("matchScore", 0)),
        kind=str(fields.get("type", "")),
        listed_as=listed_as,
        mic=mic,
    )


def _parse(parser: Callable[[], Parsed]) -> Parsed:
    """Run the parser, turning parse errors into a malformed-response error."""
    try:
        return parser()
    except PARSE_ERRORS:
        error = failure(NAME, FailureKind.MALFORMED)
    raise error


def _days(rows: Mapping[str, Mapping[str, str]]) -> Iterator[Day]:
    for day, fields in rows.items():
        values = _plain_names(fields)
        close = _number(values.get("close"))
        yield Day(
            session=date.fromisoformat(day),
            open=_number(values.get("open")),
            high=_number(values.get("high")),
            low=_number(values.get("low")),
            close=close,
            adjusted_close=_number(values["adjusted close"]) if "adjusted close" in values else close,
            volume=_count(values.get("volume")),
            dividend=_number(values.get("dividend amount", "0")),
            split=_number(values.get("split coefficient", "1")),
        )


def _plain_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Strip the vendor's numbering (`5. volume`, `6. volume`) from field names."""
    return {re.sub(r"^\d+\.\s*", "", name): value for name, value in fields.items()}


def _number(text: Any) -> Decimal:
    """Parse a decimal; NaN for anything else."""
    try:
        return Decimal(str(text).strip())
    except InvalidOperation:
        return MISSING


def _count(text: Any) -> int | None:
    number = _number(text)
    return int(number) if number.is_finite() and number == number.to_integral_value() else None


def _require_same_symbol(requested: str, returned: str) -> None:
    """Raise unless both are one symbol; BRK.B may come back as BRK-B."""
    if re.sub(r"[./]", "-", returned.upper()) != re.sub(r"[./]", "-", requested.upper()):
        found = clean_text(returned, longest=32)
        raise failure(NAME, FailureKind.MALFORMED, f"response is about {found} instead of {requested}")
