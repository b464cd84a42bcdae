"""Bars in the binary form of PostgreSQL's COPY, written and read as whole columns. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_blocks import WIDTH, BarArray
from marketdata.bar_columns import COLUMNS, BarColumns
from marketdata.provider_records import BarRecord

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# PostgreSQL counts days and microseconds from here.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_DAY = np.datetime64("2000-01-01")
UNIX_DAYS = int((EPOCH_DAY - np.datetime64("1970-01-01")).astype(int))
MICRO = 1_000_000
PRICES = COLUMNS[1:-1]
# A numeric is a count of digits to the base of 10,000, the power of the first, a sign, decimals, and the digits.
BASE = 10_000
HEAD = 4
DECIMALS = 6
# Where the digit before the point is among the three whole ones and the two behind the point.
ONES = 2
PIECE_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class ExactBars:
    """Bars as they are stored: datetime64[D], prices in millionths as int64 of shape (n, 5), volumes as int64."""

    session: NDArray[np.datetime64]
    prices: NDArray[np.int64]
    volume: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.session)

    def select(self, places: NDArray[np.bool_] | slice) -> "ExactBars":
        """The bars at these places."""
        return ExactBars(self.session[places], self.prices[places], self.volume[places])

    def as_array(self) -> BarArray:
        """The same as float64 rows of shape (n, 7); every price is the float64 nearest to the decimal."""
        return np.column_stack([self.session.astype(np.int64), self.prices / MICRO, self.volume])


def to_exact_columns(columns: BarColumns) -> ExactBars:
    """Believable columns, rounded to what is stored."""
    prices = np.column_stack([np.rint(getattr(columns, name) * MICRO) for name in PRICES])
    return ExactBars(columns.session, prices.astype(np.int64), np.rint(columns.volume).astype(np.int64))


def to_exact_bars(bars: Sequence[BarRecord]) -> ExactBars:
    """Believable records, rounded to what is stored."""
    prices = [[round(getattr(bar, name) * MICRO) for name in PRICES] for bar in bars]
    return ExactBars(
        np.array([bar.session for bar in bars], dtype="datetime64[D]"),
        np.array(prices, dtype=np.int64).reshape(-1, len(PRICES)),
        np.array([bar.volume for bar in bars], dtype=np.int64),
    )


def copy_in_pieces(bars: ExactBars, *, instrument_id: int, source: str, fetched_at: datetime) -> Iterator[bytes]:
    """What COPY FROM takes: instrument, session, five prices, volume, source, fetched_at, is_final.

    In pieces, so that the database takes one in while the next one is made.
    """
    yield SIGNATURE
    for start in range(0, len(bars), PIECE_ROWS):
        piece = bars.select(slice(start, start + PIECE_ROWS))
        yield _rows(piece, instrument_id=instrument_id, source=source, fetched_at=fetched_at)
    yield TRAILER


def _rows(bars: ExactBars, *, instrument_id: int, source: str, fetched_at: datetime) -> bytes:
    named = source.encode()
    power, digits = _digits(bars.prices)
    width = digits.shape[-1]
    rows = np.zeros(len(bars), dtype=_row_type(len(named), width))
    rows["fields"] = 4 + len(PRICES) + 2
    for name, length in (("instrument", 8), ("session", 4), ("volume", 8), ("source", len(named)), ("fetched_at", 8)):
        rows[f"{name}_bytes"] = length
    rows["instrument"] = instrument_id
    rows["session"] = (bars.session - EPOCH_DAY).astype(np.int64)
    rows["prices"]["bytes"] = 2 * (HEAD + width)
    rows["prices"]["head"] = (width, power, 0, DECIMALS)
    rows["prices"]["digits"] = digits
    rows["volume"] = bars.volume
    rows["source"] = named
    rows["fetched_at"] = (fetched_at - EPOCH) // timedelta(microseconds=1)
    rows["is_final_bytes"] = 1
    rows["is_final"] = 1
    return rows.tobytes()


def parse_copy_out(answer: bytes) -> BarArray:
    """Rows of shape (n, 7) from what COPY TO gives for a date and six float8; raises ValueError for anything else."""
    kind = np.dtype(
        [("fields", ">i2"), ("day_bytes", ">i4"), ("day", ">i4"),
         ("values", [("bytes", ">i4"), ("value", ">f8")], (WIDTH - 1,))]
    )  # fmt: skip
    body = answer[len(SIGNATURE) : -len(TRAILER)]
    if len(body) % kind.itemsize or not answer.startswith(SIGNATURE):
        raise ValueError("these are no rows of a date and six numbers")
    rows = np.frombuffer(body, dtype=kind)
    bars = np.empty((len(rows), WIDTH))
    bars[:, 0] = rows["day"] + UNIX_DAYS
    bars[:, 1:] = rows["values"]["value"]
    return bars


def _row_type(source_bytes: int, digits: int) -> np.dtype:
    price = [("bytes", ">i4"), ("head", ">i2", (HEAD,)), ("digits", ">i2", (digits,))]
    return np.dtype(
        [
            ("fields", ">i2"),
            ("instrument_bytes", ">i4"),
            ("instrument", ">i8"),
            ("session_bytes", ">i4"),
            ("session", ">i4"),
            ("prices", price, (len(PRICES),)),
            ("volume_bytes", ">i4"),
            ("volume", ">i8"),
            ("source_bytes", ">i4"),
            ("source", f"S{source_bytes}"),
            ("fetched_at_bytes", ">i4"),
            ("fetched_at", ">i8"),
            ("is_final_bytes", ">i4"),
            ("is_final", "i1"),
        ]
    )


def _digits(prices: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """The power of the first digit to the base of 10,000, and the digits: as many as any of the prices needs."""
    # Multiplied back: a remainder would be divided for once more.
    whole = prices // MICRO
    millionths = prices - whole * MICRO
    ten_thousands = whole // BASE
    hundreds = millionths // 100
    groups = [
        ten_thousands // BASE,
        ten_thousands % BASE if ten_thousands.any() else ten_thousands,
        whole - ten_thousands * BASE,
        hundreds,
        (millionths - hundreds * 100) * 100,
    ]
    first = next((place for place, group in enumerate(groups[:ONES]) if group.any()), ONES)
    last = next((place for place in (4, 3) if groups[place].any()), ONES)
    return ONES - first, np.stack(groups[first : last + 1], axis=-1)
