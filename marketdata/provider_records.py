"""Bars, corporate actions, quotes and symbol matches as providers return them, before validation."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

# Prices below 1, such as those of coins, are stored with all twelve decimals of the columns.
DECIMALS, SMALL_DECIMALS = 6, 12


def stored_decimals(price: float | Decimal) -> int:
    """Return how many decimals of a price are stored."""
    return SMALL_DECIMALS if -1 < price < 1 else DECIMALS


def round_price(price: Decimal) -> Decimal:
    """Round a price to its stored decimals; a missing one stays NaN."""
    if price.is_nan():
        return price
    return price.quantize(Decimal(1).scaleb(-stored_decimals(price)))


@dataclass(frozen=True, slots=True)
class BarRecord:
    """One session from a source; a missing price is NaN, a missing volume None."""

    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    adjusted_close: Decimal
    volume: int | None


@dataclass(frozen=True, slots=True)
class CorporateActionRecord:
    """A split (`value` new shares for one old) or a dividend (`value` cash a share), effective before the open."""

    session: date
    kind: Literal["split", "dividend"]
    value: Decimal


@dataclass(frozen=True, slots=True)
class VendorListing:
    """What a source says about the listing of its prices; empty where it says nothing.

    `currency` keeps the source's case: GBp are pence. `exchange` is a MIC. With `states_currency` false the source
    never names a currency.
    """

    time_zone: str = ""
    exchange: str = ""
    currency: str = ""
    states_currency: bool = True


UNSTATED_LISTING = VendorListing()


@dataclass(frozen=True, slots=True)
class QuoteRecord:
    """Latest price from a source; `at` is its instant, None where the source gives none.

    `delayed` is true for sources that are known to lag the market.
    """

    symbol: str
    price: Decimal
    previous_close: Decimal | None
    session: date
    at: datetime | None
    delayed: bool = False
    listing: VendorListing = UNSTATED_LISTING


@dataclass(frozen=True, slots=True)
class SymbolMatch:
    """Search result of a source, with a `score` from 0 to 1.

    `symbol` is the source's spelling and `listed_as` ours; `kind` is Equity, ETF and so on; `mic` is empty for an
    unknown exchange.
    """

    symbol: str
    name: str
    region: str
    currency: str
    score: float
    kind: str
    listed_as: str
    mic: str
