"""Query serializers and response schemas of the market data calls."""

import re
from datetime import datetime
from typing import Any

from rest_framework import serializers

from marketdata import clock
from marketdata.api.fields import SingleLineText, StrictBoolean, StrictInteger
from marketdata.errors import DateRangeEmpty, KnownAtInFuture

MAX_BARS = 5_000
DEFAULT_BARS = 1_000
MAX_SYMBOLS = 50
MAX_INSTRUMENTS = 100
DEFAULT_INSTRUMENTS = 20
MAX_PAGES = 1_000
MAX_SEARCH_LENGTH = 64
MAX_SYMBOLS_LENGTH = 1_000


class SymbolsIn(serializers.Serializer):
    """Search query of the catalogue."""

    search = SingleLineText(
        required=False, max_length=MAX_SEARCH_LENGTH, help_text="Symbol or name, tolerant of typos: `aple` finds Apple."
    )
    limit = StrictInteger(default=DEFAULT_INSTRUMENTS, min_value=1, max_value=MAX_INSTRUMENTS)
    page = StrictInteger(default=1, min_value=1, max_value=MAX_PAGES)


class _PricesIn(serializers.Serializer):
    def validate_known_at(self, known_at: datetime) -> datetime:
        if known_at > clock.now():
            raise KnownAtInFuture(known_at.isoformat())
        return known_at

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("from"), attrs.get("to")
        if first and last and first > last:
            raise DateRangeEmpty(first.isoformat(), last.isoformat())
        return attrs


# `from` is a Python keyword, so the class is built with type().
PricesIn = type(
    "PricesIn",
    (_PricesIn,),
    {
        "__doc__": "Query of daily bars.",
        "from": serializers.DateField(required=False, help_text="First session. Default: a year before the last one."),
        "to": serializers.DateField(required=False, help_text="Last session. Default: the newest."),
        "known_at": serializers.DateTimeField(
            required=False,
            help_text="Only data known at this instant: closed sessions, on the price basis of that time.",
        ),
        "adjusted": StrictBoolean(
            default=False, help_text="Adjust prices for dividends too; they are always split-adjusted."
        ),
        "limit": StrictInteger(default=DEFAULT_BARS, min_value=1, max_value=MAX_BARS),
    },
)


class QuotesIn(serializers.Serializer):
    """Symbols to quote."""

    symbols = SingleLineText(max_length=MAX_SYMBOLS_LENGTH, help_text=f"Up to {MAX_SYMBOLS} comma-separated symbols.")

    def validate_symbols(self, symbols: str) -> list[str]:
        named = list(dict.fromkeys(word for word in re.split(r"[,\s]+", symbols) if word))
        if not named:
            raise serializers.ValidationError("Enter at least one symbol.")
        if len(named) > MAX_SYMBOLS:
            raise serializers.ValidationError(f"{len(named)} symbols exceed the maximum of {MAX_SYMBOLS} per request.")
        return named


class InstrumentOut(serializers.Serializer):
    """One listing."""

    symbol = serializers.CharField()
    name = serializers.CharField()
    exchange = serializers.CharField(help_text="Market identifier code (MIC); `24/7` for instruments traded every day.")
    sector = serializers.CharField()
    currency = serializers.CharField()
    active = serializers.BooleanField(help_text="Whether it is forecast each session.")
    delisted_on = serializers.DateField(allow_null=True, help_text="Last session before delisting.")


class SymbolsOut(serializers.Serializer):
    """Page of instruments: best match first, or by symbol without a search text."""

    symbols = InstrumentOut(many=True)
    next_page = serializers.IntegerField(allow_null=True)


class PriceBarOut(serializers.Serializer):
    """One session."""

    session = serializers.DateField()
    open = serializers.FloatField()
    high = serializers.FloatField()
    low = serializers.FloatField()
    close = serializers.FloatField()
    adjusted_close = serializers.FloatField()
    volume = serializers.IntegerField(min_value=0)


class PricesOut(serializers.Serializer):
    """Daily bars, oldest first."""

    symbol = serializers.CharField()
    currency = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # API name
    adjusted = serializers.BooleanField()
    known_at = serializers.DateTimeField(allow_null=True)
    as_of = serializers.DateField(allow_null=True, help_text="Newest known session.")
    basis_date = serializers.DateField(allow_null=True, help_text="Prices are split-adjusted as of this day.")
    stale = serializers.BooleanField(help_text="Newer sessions have closed and are missing.")
    bars = PriceBarOut(many=True)
    more_from = serializers.DateField(
        allow_null=True, help_text="Send this as `from` to get the next bars; null at the end."
    )


class QuoteOut(serializers.Serializer):
    """Latest price of one instrument."""

    symbol = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    price = serializers.FloatField()
    as_of = serializers.DateTimeField(help_text="Time of the trade; for a close, of the session's close.")
    session = serializers.DateField(help_text="Session of the price.")
    previous_close = serializers.FloatField(allow_null=True)
    change = serializers.FloatField(allow_null=True)
    change_percent = serializers.FloatField(allow_null=True)
    kind = serializers.ChoiceField(choices=["quote", "close"], help_text="Live quote or last final close.")
    source = serializers.CharField()  # type: ignore[assignment]  # API name
    delayed = serializers.BooleanField(help_text="The source lags the market.")
    stale = serializers.BooleanField(help_text="A newer price is overdue.")


class QuoteMissingOut(serializers.Serializer):
    """Symbol without a price."""

    symbol = serializers.CharField(help_text="As requested.")
    detail = serializers.CharField()


class QuotesOut(serializers.Serializer):
    """Prices in the requested order; a symbol without one does not affect the others."""

    quotes = QuoteOut(many=True)
    missing = QuoteMissingOut(many=True)
