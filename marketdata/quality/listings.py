"""Compare a source's statement about a listing with the instrument, and convert minor currency units. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marketdata.calendars import shares_calendar, zone_of
from marketdata.provider_records import BarRecord, CorporateActionRecord, VendorListing

# Units in which some exchanges quote: the currency, and how many of them it has.
MINOR_UNITS = {
    "GBp": ("GBP", 100),
    "GBX": ("GBP", 100),
    "ILA": ("ILS", 100),
    "ZAc": ("ZAR", 100),
    "ZAC": ("ZAR", 100),
    "KWF": ("KWD", 1000),
}
MAIN_UNITS = frozenset(name for name, _ in MINOR_UNITS.values())
MONTHS_OF_CLOCK_CHANGES = (1, 7)


def listing_problem(listing: VendorListing, *, mic: str, currency: str, on: date) -> str:
    """Name a contradiction between the source's listing and the instrument, with both values; empty without one.

    Exchanges with one calendar count as equal, as do time zones with the same offsets in the year of `on`. Minor units
    such as pence are no contradiction, because `price_factor` converts them.
    """
    if listing.exchange and not shares_calendar(listing.exchange, mic):
        return f"its exchange is {listing.exchange}, but the instrument's is {mic}"
    if listing.time_zone and not _same_offsets(listing.time_zone, zone_of(mic), on.year):
        return f"its time zone is {listing.time_zone}, but {mic} is in {zone_of(mic)}"
    if listing.currency and _unit(listing.currency)[0] != _unit(currency)[0]:
        return f"its prices are in {listing.currency}, but the instrument's currency is {currency}"
    if not listing.states_currency and currency in MAIN_UNITS:
        minor = next(name for name, (main, _) in MINOR_UNITS.items() if main == currency and name.isupper())
        return f"it states no currency, so prices in {minor} cannot be told from the instrument's {currency}"
    return ""


def price_factor(listing: VendorListing, *, currency: str) -> Decimal:
    """Return the factor from the source's prices to the instrument's currency: 0.01 from pence to pounds."""
    if not listing.currency:
        return Decimal(1)
    return Decimal(_unit(currency)[1]) / _unit(listing.currency)[1]


def scale_bars(bars: Sequence[BarRecord], factor: Decimal) -> list[BarRecord]:
    """Return the bars with every price multiplied by `factor`."""
    names = ("open", "high", "low", "close", "adjusted_close")
    return [replace(bar, **{name: getattr(bar, name) * factor for name in names}) for bar in bars]


def scale_dividends(actions: Sequence[CorporateActionRecord], factor: Decimal) -> list[CorporateActionRecord]:
    """Return the actions with every dividend multiplied by `factor`."""
    return [replace(one, value=one.value * factor) if one.kind == "dividend" else one for one in actions]


def _unit(currency: str) -> tuple[str, int]:
    """Return the main currency and how many of these units it has."""
    return MINOR_UNITS.get(currency, (currency.upper(), 1))


def _same_offsets(name: str, zone: ZoneInfo, year: int) -> bool:
    try:
        other = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    instants = [datetime(year, month, 1, tzinfo=UTC) for month in MONTHS_OF_CLOCK_CHANGES]
    return all(one.astimezone(other).utcoffset() == one.astimezone(zone).utcoffset() for one in instants)
