"""Alpha Vantage: daily bars, quotes and symbol search with a key; its complaints come with status 200."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.alpha_vantage_series import Day, apply_splits, newest_gap, to_daily_history
from marketdata.providers.alpha_vantage_symbols import NAME, parse_listing, to_vendor_symbol
from marketdata.providers.base import DailyHistory, QuoteRecord, SymbolMatch
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import Complaint, Vendor, failure, get_json

PATH = "query"
SERIES = "Time Series (Daily)"
QUOTE = "Global Quote"
MATCHES = "bestMatches"
MESSAGES = ("Error Message", "Note", "Information")
# What a key may be allowed to ask, best first.
FORMS = (
    ("TIME_SERIES_DAILY_ADJUSTED", "full"),
    ("TIME_SERIES_DAILY", "full"),
    ("TIME_SERIES_DAILY", "compact"),
)
# Every try is one of few calls a day.
ATTEMPTS = 2
NOT_IN_PLAN = "not in this key's plan"
# A list of splits that ended so is not to be had; one that ended otherwise may be later.
TELLS_NOTHING = frozenset({FailureKind.UNKNOWN_SYMBOL, FailureKind.BAD_KEY, FailureKind.EMPTY, FailureKind.MALFORMED})
OUT_OF_REACH = frozenset({FailureKind.SLOW, FailureKind.UNREACHABLE})
MISSING = Decimal("NaN")
Read = TypeVar("Read")
READING_ERRORS = (KeyError, StopIteration, TypeError, AttributeError, ValueError, ArithmeticError)


class AlphaVantage:
    """One run's worth of questions to Alpha Vantage: none after one found it out of reach."""

    name = NAME
    parallel_calls = 1

    def __init__(self, settings: AlphaVantageSettings, *, budget: CallBudget | None = None) -> None:
        self._key = settings.api_key
        self._budget = budget or CallBudget(NAME)
        self._vendor = vendor_from_settings(settings)
        self._out_of_reach: ProviderUnavailable | None = None
        self._form = 0

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """The sessions first..last on today's basis: every split that the series tells of is applied, once.

        Keys without the adjusted series get the plain one, which tells of no split and no dividend. Where its prices
        moved overnight as they would for a split, the list of splits is asked for; without it there is no answer.
        """
        asked = to_vendor_symbol(symbol)
        with self._budget.recorded():
            reply = self._series_reply(asked)
            days = _read(lambda: read_days(reply, asked))
            if not has_split_column(reply):
                days = self._told_of_splits(days, asked)
            return _read(lambda: to_daily_history(NAME, days, first=first, last=last))

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """The newest price; it may be that of the session before."""
        asked = to_vendor_symbol(symbol)
        with self._budget.recorded():
            reply = self._ask(function="GLOBAL_QUOTE", symbol=asked)
            return _read(lambda: read_quote(reply, symbol, asked))

    def search_symbols(self, text: str) -> list[SymbolMatch]:
        """The instruments that the vendor finds for the text, best first; none is an answer too."""
        with self._budget.recorded():
            reply = self._ask(function="SYMBOL_SEARCH", keywords=text)
            return _read(lambda: read_matches(reply))

    def probe(self) -> None:
        """One cheap call; raises what any call would."""
        self.fetch_quote("IBM")

    def _series_reply(self, asked: str) -> Any:
        """The best form of the series that the key is allowed; what it is not allowed is remembered for the run."""
        while True:
            function, size = FORMS[self._form]
            try:
                return self._ask(function=function, symbol=asked, outputsize=size)
            except ProviderRejected as error:
                if NOT_IN_PLAN not in error.reason or self._form + 1 == len(FORMS):
                    raise
                self._form += 1

    def _told_of_splits(self, days: Sequence[Day], asked: str) -> Sequence[Day]:
        """The days with their splits, for which another call is spent only where there may have been one."""
        gap = newest_gap(days)
        if gap is None:
            return days
        try:
            reply = self._ask(function="SPLITS", symbol=asked)
            splits = _read(lambda: read_splits(reply, asked))
        except (ProviderUnavailable, ProviderRejected) as error:
            if error.kind not in TELLS_NOTHING:
                raise
        else:
            return apply_splits(days, splits)
        raise failure(NAME, FailureKind.PARTIAL, f"does not tell whether its prices of {gap} follow a split")

    def _ask(self, **parameters: str) -> Any:
        if self._out_of_reach is not None:
            raise self._out_of_reach
        try:
            return get_json(self._vendor, PATH, {**parameters, "apikey": self._key}, admit=self._budget.admit)
        except ProviderUnavailable as error:
            if error.attempted and error.kind in OUT_OF_REACH:
                self._out_of_reach = ProviderUnavailable(NAME, error.reason, error.kind, attempted=False)
            raise


def vendor_from_settings(settings: AlphaVantageSettings) -> Vendor:
    """The vendor behind an address, which may be written with or without its one path."""
    return Vendor(
        NAME,
        settings.base_url.rstrip("/").removesuffix(f"/{PATH}"),
        settings.timeout_s,
        secrets=(settings.api_key,),
        parse_complaint=parse_complaint,
        attempts=ATTEMPTS,
    )


def parse_complaint(body: Any) -> Complaint | None:
    """What a reply's `Error Message`, `Note` or `Information` means; None for one without."""
    if not isinstance(body, Mapping):
        return None
    said = next((body[name] for name in MESSAGES if name in body), None)
    if said is None:
        return None
    words = str(said)
    low = words.lower()
    if re.search(r"\bis a premium\b", low):
        return Complaint(FailureKind.BAD_KEY, NOT_IN_PLAN)
    if re.search(r"invalid (api call|inputs)", low):
        return Complaint(FailureKind.UNKNOWN_SYMBOL)
    if "no articles found" in low:
        return Complaint(FailureKind.EMPTY)
    if re.search(r"per (second|minute)|sparingly|burst|call frequency", low):
        return Complaint(FailureKind.RATE_LIMITED)
    if re.search(r"per day|daily rate|rate limit", low):
        return Complaint(FailureKind.QUOTA_SPENT)
    if re.search(r"api ?key", low):
        return Complaint(FailureKind.BAD_KEY)
    return Complaint(FailureKind.MALFORMED, words)


def read_days(reply: Mapping[str, Any], asked: str) -> Sequence[Day]:
    """The rows of a daily series; those of the plain one have no splits and no dividends."""
    rows = reply.get(SERIES)
    if not rows:
        raise failure(NAME, FailureKind.EMPTY)
    _require_same_symbol(asked, str(reply["Meta Data"]["2. Symbol"]))
    return list(_days(rows))


def has_split_column(reply: Mapping[str, Any]) -> bool:
    """Whether the series that was read has a place for splits in every row."""
    return all("split coefficient" in _plain_names(row) for row in reply[SERIES].values())


def read_splits(reply: Mapping[str, Any], asked: str) -> dict[date, Decimal]:
    """New shares for one old, by the day from which prices are those of the new ones."""
    _require_same_symbol(asked, str(reply["symbol"]))
    splits = {date.fromisoformat(row["effective_date"]): Decimal(row["split_factor"]) for row in reply["data"]}
    if not all(ratio.is_finite() and ratio > 0 for ratio in splits.values()):
        raise failure(NAME, FailureKind.MALFORMED, "answered with a split that is no ratio")
    return splits


def read_quote(reply: Mapping[str, Any], symbol: str, asked: str) -> QuoteRecord:
    """The newest price in our terms; an empty one is the vendor's way to say that it knows no such symbol."""
    # Its name may go on: "Global Quote - DATA DELAYED BY 15 MINUTES".
    quote = _plain_names(next(fields for name, fields in reply.items() if name.startswith(QUOTE)))
    if not quote:
        raise failure(NAME, FailureKind.UNKNOWN_SYMBOL)
    _require_same_symbol(asked, str(quote["symbol"]))
    price = _number(quote["price"])
    if not price.is_finite() or price <= 0:
        raise failure(NAME, FailureKind.MALFORMED, "answered with a price that is none")
    before = _number(quote.get("previous close"))
    return QuoteRecord(
        symbol=symbol,
        price=price,
        previous_close=before if before.is_finite() and before > 0 else None,
        volume=_count(quote.get("volume")),
        session=date.fromisoformat(quote["latest trading day"]),
        at=None,
        delayed=True,
    )


def read_matches(reply: Mapping[str, Any]) -> list[SymbolMatch]:
    """The found instruments in our terms."""
    found = [_match(_plain_names(match)) for match in reply[MATCHES]]
    return sorted(found, key=lambda match: -match.score)


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


def _read(reading: Callable[[], Read]) -> Read:
    """What the reading makes of a reply; one that it cannot make sense of is told as malformed."""
    try:
        return reading()
    except READING_ERRORS:
        outcome = failure(NAME, FailureKind.MALFORMED)
    raise outcome


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
    """Fields by name without the vendor's numbering, which differs between its tables: `5. volume`, `6. volume`."""
    return {re.sub(r"^\d+\.\s*", "", name): value for name, value in fields.items()}


def _number(text: Any) -> Decimal:
    """The number that a text stands for, NaN for none."""
    try:
        return Decimal(str(text).strip())
    except InvalidOperation:
        return MISSING


def _count(text: Any) -> int | None:
    number = _number(text)
    return int(number) if number.is_finite() and number == number.to_integral_value() else None


def _require_same_symbol(asked: str, answered: str) -> None:
    """BRK.B may come back as BRK-B, but never as another stock."""
    if re.sub(r"[./]", "-", answered.upper()) != re.sub(r"[./]", "-", asked.upper()):
        raise failure(NAME, FailureKind.MALFORMED, "answered about another symbol")
