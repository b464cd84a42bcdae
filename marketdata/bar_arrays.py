"""Whole histories as float64 arrays: from blocks where they are there and sound, else from rows."""

from collections.abc import Collection
from datetime import date
from typing import Any

import numpy as np
import structlog
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest, Substr

from marketdata.blocks import CHECKSUM, ROW, SEGMENT_ROWS, WIDTH, BarArray, unpacked
from marketdata.models import BarBlock, Instrument
from marketdata.selectors import bar_values

log = structlog.get_logger(__name__)

EMPTY = np.empty((0, WIDTH))
UNIX_EPOCH = date(1970, 1, 1)


def bar_arrays(instruments: Collection[Instrument], *, latest: int | None = None) -> dict[int, BarArray]:
    """The final bars of each instrument by pk, oldest first, shape (n, 7): day since 1970, four prices, adjusted
    close, volume. With `latest` no more than so many of the newest.

    One query, and one more for the instruments whose block is missing or fails its checksum.
    """
    wanted = {instrument.pk: instrument for instrument in instruments}
    found: dict[int, BarArray] = {}
    for pk, body, checksums in _stored(list(wanted), latest).iterator():
        bars = unpacked(bytes(body), bytes(checksums))
        if bars is None:
            log.error("bar_block_damaged", instrument=pk)
        else:
            found[pk] = bars
    rest = [instrument for pk, instrument in wanted.items() if pk not in found]
    if rest:
        found |= _from_rows(rest)
    return {pk: found[pk] if latest is None else found[pk][-latest:] for pk in wanted}


def _stored(pks: Collection[int], latest: int | None) -> QuerySet[BarBlock, Any]:
    """Blocks, only the segments that the latest rows are in."""
    blocks = BarBlock.objects.filter(pk__in=pks)
    if latest is None:
        return blocks.values_list("pk", "body", "checksums")
    skipped = Greatest(F("row_count") - latest, Value(0)) / SEGMENT_ROWS
    return (
        blocks.annotate(skipped=skipped)
        .annotate(
            tail=Substr("body", F("skipped") * SEGMENT_ROWS * ROW.itemsize + 1),
            tail_checksums=Substr("checksums", F("skipped") * CHECKSUM.itemsize + 1),
        )
        .values_list("pk", "tail", "tail_checksums")
    )


def _from_rows(instruments: Collection[Instrument]) -> dict[int, BarArray]:
    rows: dict[int, list[tuple[float, ...]]] = {instrument.pk: [] for instrument in instruments}
    for pk, session, *prices, volume in bar_values(instruments, through=None):
        rows[pk].append(((session - UNIX_EPOCH).days, *(float(price) for price in prices), float(volume)))
    return {pk: np.array(bars, dtype=np.float64) if bars else EMPTY for pk, bars in rows.items()}
