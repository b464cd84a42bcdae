"""Whole price histories as float64 arrays, read from bar blocks or, where a block is unusable, from rows."""

from collections.abc import Collection
from datetime import date

import numpy as np
import structlog

from marketdata.bar_blocks import CHECKSUM, ROW, SEGMENT_ROWS, WIDTH, BarArray, unpack
from marketdata.models import Instrument
from marketdata.selectors import bar_values
from marketdata.sql import binary_copy

log = structlog.get_logger(__name__)

FULL_BLOCKS_SQL = "SELECT instrument_id, body, checksums FROM marketdata_barblock WHERE instrument_id = ANY({pks})"
TAIL_BLOCKS_SQL = """
SELECT instrument_id, substring(body FROM skipped * {segment} * {row} + 1),
    substring(checksums FROM skipped * {sum} + 1)
FROM (
    SELECT instrument_id, body, checksums, greatest(row_count - {latest}, 0) / {segment} AS skipped
    FROM marketdata_barblock WHERE instrument_id = ANY({pks})
) AS block
"""
EMPTY = np.empty((0, WIDTH))
UNIX_EPOCH = date(1970, 1, 1)


def bar_arrays(instruments: Collection[Instrument], *, latest: int | None = None) -> dict[int, BarArray]:
    """Return the final bars of each instrument by pk, oldest first; with `latest`, only that many of the newest.

    Shape (n, 7): day since 1970, open, high, low, close, adjusted close, volume. One query, and one more for
    instruments whose block is missing or fails its checksum.
    """
    wanted = {instrument.pk: instrument for instrument in instruments}
    found = arrays_from_blocks(list(wanted), latest=latest)
    rest = [instrument for pk, instrument in wanted.items() if pk not in found]
    if rest:
        found |= _arrays_from_rows(rest)
    return {pk: found[pk] if latest is None else found[pk][-latest:] for pk in wanted}


def arrays_from_blocks(pks: list[int], *, latest: int | None = None) -> dict[int, BarArray]:
    """Read valid blocks by instrument pk; with `latest`, only the segments that contain the latest rows."""
    found: dict[int, BarArray] = {}
    for pk, body, checksums in _read_blocks(pks, latest):
        bars = unpack(bytes(body), bytes(checksums))
        if bars is None:
            log.error("bar_block_damaged", instrument=pk)
        else:
            found[pk] = bars
    return found


def _read_blocks(pks: list[int], latest: int | None) -> list[tuple[int, bytes, bytes]]:
    parts = {"latest": latest, "segment": SEGMENT_ROWS, "row": ROW.itemsize, "sum": CHECKSUM.itemsize, "pks": pks}
    # Text format would double the bytes on both sides.
    with binary_copy(FULL_BLOCKS_SQL if latest is None else TAIL_BLOCKS_SQL, **parts) as copy:
        copy.set_types(["int8", "bytea", "bytea"])
        return list(copy.rows())


def _arrays_from_rows(instruments: Collection[Instrument]) -> dict[int, BarArray]:
    rows: dict[int, list[tuple[float, ...]]] = {instrument.pk: [] for instrument in instruments}
    for pk, session, *prices, volume in bar_values(instruments, through=None):
        rows[pk].append(((session - UNIX_EPOCH).days, *(float(price) for price in prices), float(volume)))
    return {pk: np.array(bars, dtype=np.float64) if bars else EMPTY for pk, bars in rows.items()}
