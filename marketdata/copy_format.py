"""Encode and decode bars in PostgreSQL's binary COPY format, whole columns at a time. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_blocks import WIDTH, BarArray
from marketdata.bar_columns import COLUMNS, BarColumns
from marketdata.provider_records import BarRecord

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# PostgreSQL's date and timestamp epoch.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_DAY = np.datetime64("2000-01-01")
UNIX_DAYS = int((EPOCH_DAY - np.datetime64("1970-01-01")).astype(int))
MICRO = 1_000_000
PICO = 1_000_000_000_000
PRICES = COLUMNS[1:-1]
# A numeric is: number of base-10,000 digits, weight of the first digit, sign, display scale, digits.
BASE = 10_000
NUMERIC_HEADER_FIELDS = 4
DECIMALS = 12
# Index of the units digit among three integer and three fractional digits.
UNITS_INDEX = 2
PIECE_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class ExactBars:
    """Bars in stored precision: datetime64[D], prices in millionths as int64 of shape (n, 5), volumes as int64.

    `fine` has the further six decimals of prices below 1, in millionths of a millionth; it is zero for others.
    """

    session: NDArray[np.datetime64]
    prices: NDArray[np.int64]
    fine: NDArray[np.int64]
    volume: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.session)

    def select(self, rows: NDArray[np.bool_] | slice) -> "ExactBars":
        """Return the bars at these rows."""
        return ExactBars(self.session[rows], self.prices[rows], self.fine[rows], self.volume[rows])

    def as_array(self) -> BarArray:
        """Return float64 rows of shape (n, 7); each price is the float64 nearest to the decimal."""
        prices = self.prices / MICRO
        if self.fine.any():
            prices = np.where(self.fine > 0, (self.prices * MICRO + self.fine) / PICO, prices)
        return np.column_stack([self.session.astype(np.int64), prices, self.volume])


def to_exact_columns(columns: BarColumns) -> ExactBars:
    """Round valid columns to stored precision."""
    prices = np.column_stack([getattr(columns, name) for name in PRICES])
    exact, fine = np.rint(prices * MICRO).astype(np.int64), np.zeros(prices.shape, dtype=np.int64)
    small = prices < 1
    if small.any():
        exact[small], fine[small] = np.divmod(np.rint(prices[small] * PICO).astype(np.int64), MICRO)
    return ExactBars(columns.session, exact, fine, np.rint(columns.volume).astype(np.int64))


def to_exact_bars(bars: Sequence[BarRecord]) -> ExactBars:
    """Round valid records to stored precision."""
    parts = [[_exact(getattr(bar, name)) for name in PRICES] for bar in bars]
    both = np.array(parts, dtype=np.int64).reshape(-1, len(PRICES), 2)
    return ExactBars(
        np.array([bar.session for bar in bars], dtype="datetime64[D]"),
        both[..., 0],
        both[..., 1],
        np.array([bar.volume for bar in bars], dtype=np.int64),
    )


def _exact(price: Decimal) -> tuple[int, int]:
    return divmod(round(price * PICO), MICRO) if price < 1 else (round(price * MICRO), 0)


def copy_in_pieces(bars: ExactBars, *, instrument_id: int, source: str, fetched_at: datetime) -> Iterator[bytes]:
    """Yield COPY FROM input: instrument, session, five prices, volume, source, fetched_at, is_final.

    The data comes in pieces, so that the database reads one while the next is encoded.
    """
    yield SIGNATURE
    for start in range(0, len(bars), PIECE_ROWS):
        piece = bars.select(slice(start, start + PIECE_ROWS))
        yield _rows(piece, instrument_id=instrument_id, source=source, fetched_at=fetched_at)
    yield TRAILER


def _rows(bars: ExactBars, *, instrument_id: int, source: str, fetched_at: datetime) -> bytes:
    source_bytes = source.encode()
    weight, digits = _numeric_digits(bars.prices, bars.fine)
    width = digits.shape[-1]
    rows = np.zeros(len(bars), dtype=_row_type(len(source_bytes), width))
    rows["fields"] = 4 + len(PRICES) + 2
    lengths = {"instrument": 8, "session": 4, "volume": 8, "source": len(source_bytes), "fetched_at": 8}
    for name, length in lengths.items():
        rows[f"{name}_bytes"] = length
    rows["instrument"] = instrument_id
    rows["session"] = (bars.session - EPOCH_DAY).astype(np.int64)
    rows["prices"]["bytes"] = 2 * (NUMERIC_HEADER_FIELDS + width)
    rows["prices"]["header"] = (width, weight, 0, DECIMALS)
    rows["prices"]["digits"] = digits
    rows["volume"] = bars.volume
    rows["source"] = source_bytes
    rows["fetched_at"] = (fetched_at - EPOCH) // timedelta(microseconds=1)
    rows["is_final_bytes"] = 1
    rows["is_final"] = 1
    return rows.tobytes()


def parse_copy_out(data: bytes) -> BarArray:
    """Parse COPY TO output of a date and six float8 into rows of shape (n, 7); raises ValueError for anything else."""
    kind = np.dtype(
        [("fields", ">i2"), ("day_bytes", ">i4"), ("day", ">i4"),
         ("values", [("bytes", ">i4"), ("value", ">f8")], (WIDTH - 1,))]
    )  # fmt: skip
    body = data[len(SIGNATURE) : -len(TRAILER)]
    if len(body) % kind.itemsize or not data.startswith(SIGNATURE):
        raise ValueError("not a binary COPY of a date and six float8 columns")
    rows = np.frombuffer(body, dtype=kind)
    bars = np.empty((len(rows), WIDTH))
    bars[:, 0] = rows["day"] + UNIX_DAYS
    bars[:, 1:] = rows["values"]["value"]
    return bars


def _row_type(source_bytes: int, digits: int) -> np.dtype:
    price = [("bytes", ">i4"), ("header", ">i2", (NUMERIC_HEADER_FIELDS,)), ("digits", ">i2", (digits,))]
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


def _numeric_digits(prices: NDArray[np.int64], fine: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """Return the weight of the first base-10,000 digit and the digits: as many as any price needs."""
    # Subtraction is cheaper than a second division for the remainder.
    whole = prices // MICRO
    millionths = prices - whole * MICRO
    ten_thousands = whole // BASE
    hundreds = millionths // 100
    rest = (millionths - hundreds * 100) * 100
    groups = [
        ten_thousands // BASE,
        ten_thousands % BASE if ten_thousands.any() else ten_thousands,
        whole - ten_thousands * BASE,
        hundreds,
        rest,
    ]
    if fine.any():
        groups[-1:] = [rest + fine // BASE, fine % BASE]
    first = next((index for index, group in enumerate(groups[:UNITS_INDEX]) if group.any()), UNITS_INDEX)
    last = next((index for index in range(len(groups) - 1, UNITS_INDEX, -1) if groups[index].any()), UNITS_INDEX)
    return UNITS_INDEX - first, np.stack(groups[first : last + 1], axis=-1)
