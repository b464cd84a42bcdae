"""A session and a corporate action as a source tells them, before anybody believes them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class BarRecord:
    """One session as a source gives it; a price that the source leaves out is NaN, a volume is None."""

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
class QuoteRecord:
    """The newest price that a source tells; `at` is its instant where the source gives one.

    `delayed` where the source says, or may be taken, to be behind the market.
    """

    symbol: str
    price: Decimal
    previous_close: Decimal | None
    volume: int | None
    session: date
    at: datetime | None
    delayed: bool = False


@dataclass(frozen=True, slots=True)
class SymbolMatch:
    """An instrument that a source offers for a search text, `score` from 0 to 1.

    `symbol` is the source's spelling and `listed_as` ours; `kind` is Equity, ETF and the like; `mic` is empty where the
    exchange is not known.
    """

    symbol: str
    name: str
    region: str
    currency: str
    score: float
    kind: str
    listed_as: str
    mic: str
