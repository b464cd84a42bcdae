"""What the page of daily prices can be asked for."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django import forms

from marketdata import clock
from marketdata.calendars import FIRST_DAY, LAST_DAY, zone_of
from marketdata.price_history import PriceQuery

MOST_ROWS = 1300
# Calendar days that hold about that many months or years of sessions.
RANGES = {"1m": ("1M", 31), "3m": ("3M", 92), "1y": ("1Y", 366), "5y": ("5Y", 1827)}
USUAL_RANGE = "3m"
COLUMNS = ("session", "open", "high", "low", "close", "adjusted_close", "volume")


def _day_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class PriceTableForm(forms.Form):
    """Which sessions, in which order, on which basis; every field may be left out."""

    range = forms.ChoiceField(required=False, choices=[(key, label) for key, (label, _) in RANGES.items()])
    first = forms.DateField(required=False, label="From", widget=_day_input())
    last = forms.DateField(required=False, label="To", widget=_day_input())
    known_on = forms.DateField(required=False, label="As it was known on", widget=_day_input())
    adjusted = forms.BooleanField(required=False, label="Dividends taken out")
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in COLUMNS])
    order = forms.ChoiceField(required=False, choices=[("asc", "asc"), ("desc", "desc")])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("first", "last", "known_on"):
            day = values.get(name)
            if day and not FIRST_DAY <= day <= LAST_DAY:
                self.add_error(name, f"Name a day from {FIRST_DAY} to {LAST_DAY}.")
        if values.get("known_on") and values["known_on"] > clock.now().date():
            self.add_error("known_on", "It must not lie in the future.")
        first, last = values.get("first"), values.get("last")
        if first and last and first > last:
            self.add_error("first", f"It must not lie after {last}.")
        return values


def price_query(values: Mapping[str, Any], *, mic: str, now: datetime) -> PriceQuery:
    """The sessions that a valid form asks for; a day on which something was known ends as it does at the exchange."""
    known_on = values.get("known_on")
    known_at = min(datetime.combine(known_on, time.max, tzinfo=zone_of(mic)), now) if known_on else None
    span = timedelta(days=RANGES[values.get("range") or USUAL_RANGE][1])
    adjusted = bool(values.get("adjusted"))
    return PriceQuery(values.get("first"), values.get("last"), known_at, adjusted, most=MOST_ROWS, span=span)
