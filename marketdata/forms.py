"""Query form of the price history page."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django import forms

from marketdata import clock
from marketdata.calendars import FIRST_DAY, LAST_DAY, zone_of
from marketdata.price_history import PriceQuery

MAX_ROWS = 1300
# Calendar days in each range.
RANGES = {"1m": ("1M", 31), "3m": ("3M", 92), "1y": ("1Y", 366), "5y": ("5Y", 1827)}
DEFAULT_RANGE = "3m"
COLUMNS = ("session", "open", "high", "low", "close", "adjusted_close", "volume")


def _day_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class PriceTableForm(forms.Form):
    """Date range, sort order and price basis; every field is optional."""

    range = forms.ChoiceField(required=False, choices=[(key, label) for key, (label, _) in RANGES.items()])
    first = forms.DateField(required=False, label="From", widget=_day_input())
    last = forms.DateField(required=False, label="To", widget=_day_input())
    known_on = forms.DateField(required=False, label="As known on", widget=_day_input())
    adjusted = forms.BooleanField(required=False, label="Adjust for dividends")
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in COLUMNS])
    order = forms.ChoiceField(required=False, choices=[("asc", "asc"), ("desc", "desc")])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("first", "last", "known_on"):
            day = values.get(name)
            if day and not FIRST_DAY <= day <= LAST_DAY:
                self.add_error(name, f"Enter a date from {FIRST_DAY} to {LAST_DAY}.")
        if values.get("known_on") and values["known_on"] > clock.now().date():
            self.add_error("known_on", "The date must not be in the future.")
        first, last = values.get("first"), values.get("last")
        if first and last and first > last:
            self.add_error("first", f"The start must not be after {last}.")
        return values


def price_query(values: Mapping[str, Any], *, mic: str, now: datetime) -> PriceQuery:
    """Build the price query of a valid form; `known_on` ends at midnight in the exchange's time zone."""
    known_on = values.get("known_on")
    known_at = min(datetime.combine(known_on, time.max, tzinfo=zone_of(mic)), now) if known_on else None
    span = timedelta(days=RANGES[values.get("range") or DEFAULT_RANGE][1])
    adjusted = bool(values.get("adjusted"))
    return PriceQuery(values.get("first"), values.get("last"), known_at, adjusted, limit=MAX_ROWS, span=span)
