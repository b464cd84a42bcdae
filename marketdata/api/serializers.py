"""What the calls take, and what their answers hold, as the schema tells it; answers are plain values already."""

import re
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from marketdata import clock
from marketdata.api.fields import SingleLineText, StrictBoolean, StrictInteger
from marketdata.errors import DateRangeEmpty, KnownAtInFuture

MOST_BARS = 5_000
USUAL_BARS = 1_000
MOST_SYMBOLS = 50
MOST_FOUND = 100
USUAL_FOUND = 20
MOST_PAGES = 1_000
LONGEST_SEARCH = 64
LONGEST_LIST = 1_000


class SymbolsIn(serializers.Serializer):
    """Which instruments are looked for."""

    search = SingleLineText(
        required=False, max_length=LONGEST_SEARCH, help_text="Symbol or name, roughly: `aple` finds Apple."
    )
    limit = StrictInteger(default=USUAL_FOUND, min_value=1, max_value=MOST_FOUND)
    page = StrictInteger(default=1, min_value=1, max_value=MOST_PAGES)


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


# `from` is a word of the language, so the class cannot be written out.
PricesIn = type(
    "PricesIn",
    (_PricesIn,),
    {
        "__doc__": "Which bars are wanted.",
        "from": serializers.DateField(
            required=False, help_text="First session; a year before the last one if left out."
        ),
        "to": serializers.DateField(required=False, help_text="Last session; the newest if left out."),
        "known_at": serializers.DateTimeField(
            required=False,
            help_text="Only what could be known then: sessions that had closed, on the price basis of that time.",
        ),
        "adjusted": StrictBoolean(
            default=False, help_text="Whether dividends, too, are taken out of the prices; splits always are."
        ),
        "limit": StrictInteger(default=USUAL_BARS, min_value=1, max_value=MOST_BARS),
    },
)


class QuotesIn(serializers.Serializer):
    """Whose newest price is wanted."""

    symbols = SingleLineText(
        max_length=LONGEST_LIST, help_text=f"Up to {MOST_SYMBOLS} symbols with commas between them."
    )

    def validate_symbols(self, symbols: str) -> list[str]:
        named = list(dict.fromkeys(word for word in re.split(r"[,\s]+", symbols) if word))
        if not named:
            raise serializers.ValidationError("Name at least one symbol.")
        if len(named) > MOST_SYMBOLS:
            raise serializers.ValidationError(f"At most {MOST_SYMBOLS} symbols are answered at once.")
        return named


@extend_schema_serializer(component_name="Instrument")
class InstrumentOut(serializers.Serializer):
    """One listing."""

    symbol = serializers.CharField()
    name = serializers.CharField()
    exchange = serializers.CharField(help_text="Market identifier code; `24/7` never closes.")
    sector = serializers.CharField()
    currency = serializers.CharField()
    active = serializers.BooleanField(help_text="Whether it is forecast every session.")
    delisted_on = serializers.DateField(allow_null=True, help_text="Its last session, if it is no longer traded.")


@extend_schema_serializer(component_name="Symbols")
class SymbolsOut(serializers.Serializer):
    """A page of instruments: best match first, or by symbol where nothing is searched for."""

    symbols = InstrumentOut(many=True)
    next_page = serializers.IntegerField(allow_null=True)


@extend_schema_serializer(component_name="PriceBar")
class BarOut(serializers.Serializer):
    """One session."""

    session = serializers.DateField()
    open = serializers.FloatField()
    high = serializers.FloatField()
    low = serializers.FloatField()
    close = serializers.FloatField()
    adjusted_close = serializers.FloatField()
    volume = serializers.IntegerField(min_value=0)


@extend_schema_serializer(component_name="Prices")
class PricesOut(serializers.Serializer):
    """Daily bars, oldest first."""

    symbol = serializers.CharField()
    currency = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # shadows what only nested fields use
    adjusted = serializers.BooleanField()
    known_at = serializers.DateTimeField(allow_null=True)
    as_of = serializers.DateField(allow_null=True, help_text="The newest session known.")
    basis_date = serializers.DateField(allow_null=True, help_text="Splits up to this day are applied.")
    stale = serializers.BooleanField(help_text="Newer sessions have closed and are missing.")
    bars = BarOut(many=True)
    more_from = serializers.DateField(allow_null=True, help_text="Ask again with `from` set to this for the rest.")


@extend_schema_serializer(component_name="Quote")
class QuoteOut(serializers.Serializer):
    """The newest price of one instrument."""

    symbol = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    price = serializers.FloatField()
    as_of = serializers.DateTimeField(help_text="When it was traded; for a close, when the session closed.")
    session = serializers.DateField(help_text="The session of the price.")
    previous_close = serializers.FloatField(allow_null=True)
    change = serializers.FloatField(allow_null=True)
    change_percent = serializers.FloatField(allow_null=True)
    kind = serializers.ChoiceField(
        choices=["quote", "close"], help_text="A price between two closes, or the last final close."
    )
    source = serializers.CharField()  # type: ignore[assignment]  # shadows what only nested fields use
    delayed = serializers.BooleanField(help_text="The source is notably behind the market.")
    stale = serializers.BooleanField(
        help_text="Newer sessions have closed and are missing, or the session has gone on for long since the quote."
    )


@extend_schema_serializer(component_name="QuoteMissing")
class QuoteMissingOut(serializers.Serializer):
    """A symbol that has no price."""

    symbol = serializers.CharField(help_text="As it was asked for.")
    detail = serializers.CharField()


@extend_schema_serializer(component_name="Quotes")
class QuotesOut(serializers.Serializer):
    """Prices in the order in which they were asked for; a symbol without one never fails the rest."""

    quotes = QuoteOut(many=True)
    missing = QuoteMissingOut(many=True)
