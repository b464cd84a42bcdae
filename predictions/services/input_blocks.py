"""Input blocks: the numbers that forecasts were computed from, compressed; each distinct block is stored once."""

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from django.db import connection

from marketdata.models import Instrument
from mlops.forecasting.serving import InstrumentForecast
from mlops.forecasting.types import FloatArray
from predictions.models import ForecastInput
from predictions.services.ledger import reserve_ids
from predictions.services.rows import ForecastInputs, PublicationContext

COPY = """
COPY predictions_forecastinput (id, instrument_id, origin, feature_set, sha256, rows, columns, block)
FROM STDIN (FORMAT BINARY)
"""
COMPRESSION_THREADS = 2
BLOCKS_PER_TASK = 25
TYPES = ("int8", "int8", "date", "varchar", "varchar", "int4", "int4", "bytea")


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """Numbers as little-endian float64 in row order, with their hash and shape."""

    raw: bytes
    sha256: str
    rows: int
    columns: int

    def compressed(self) -> bytes:
        """Return the stored bytes."""
        return zlib.compress(self.raw)


def packed(inputs: FloatArray) -> PackedBlock:
    """Return the block of an array of shape (rows, columns)."""
    numbers: FloatArray = np.atleast_2d(inputs)
    raw = np.ascontiguousarray(numbers, dtype="<f8").tobytes()
    return PackedBlock(raw, hashlib.sha256(raw).hexdigest(), *numbers.shape)


def checked_numbers(block: bytes, sha256: str) -> bytes | None:
    """Return the bytes of a stored block's numbers, or None if they do not match its hash."""
    try:
        raw = zlib.decompress(block)
    except zlib.error:
        return None
    return raw if hashlib.sha256(raw).hexdigest() == sha256 else None


def store_inputs(
    forecasts: Sequence[InstrumentForecast], instruments: Mapping[str, Instrument], context: PublicationContext
) -> ForecastInputs:
    """Store the blocks that are not stored yet; the caller holds the chain lock, so that no one else stores them."""
    blocks: dict[tuple[str, int], PackedBlock] = {}
    contents: dict[tuple[str, int], tuple[int, str]] = {}
    distinct: dict[tuple[int, str], PackedBlock] = {}
    for forecast in forecasts:
        if forecast.inputs is None:
            continue
        # All horizons of a symbol share one array, which `forecasts` keeps alive: it is packed once.
        array = forecast.symbol, id(forecast.inputs)
        if array not in blocks:
            blocks[array] = packed(forecast.inputs)
        content = instruments[forecast.symbol].pk, blocks[array].sha256
        contents[forecast.symbol, forecast.horizon_sessions] = content
        distinct[content] = blocks[array]
    ids = _stored_ids(context)
    ids |= _insert({content: block for content, block in distinct.items() if content not in ids}, context)
    rows = {content: ForecastInput(pk=ids[content], sha256=content[1]) for content in distinct}
    return {forecast: rows[content] for forecast, content in contents.items()}


def _stored_ids(context: PublicationContext) -> dict[tuple[int, str], int]:
    """Return the ids of the stored blocks of this origin and feature set, by (instrument id, hash)."""
    stored = ForecastInput.objects.filter(origin=context.origin, feature_set=context.version.feature_set)
    return {(instrument, sha256): key for key, instrument, sha256 in stored.values_list("pk", "instrument", "sha256")}


def _insert(blocks: Mapping[tuple[int, str], PackedBlock], context: PublicationContext) -> dict[tuple[int, str], int]:
    """Insert blocks; returns their ids by (instrument id, hash)."""
    if not blocks:
        return {}
    ids = reserve_ids("predictions_forecastinput", len(blocks))
    shared = context.origin, context.version.feature_set
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(TYPES)
        stored = _compressed(list(blocks.values()))
        for key, ((instrument, sha256), block), numbers in zip(ids, blocks.items(), stored, strict=True):
            copy.write_row((key, instrument, *shared, sha256, block.rows, block.columns, numbers))
    return dict(zip(blocks, ids, strict=True))


def _compressed(blocks: Sequence[PackedBlock]) -> Iterator[bytes]:
    """Yield the stored bytes of each block, in order; threads compress some blocks at a time."""
    tasks = [blocks[start : start + BLOCKS_PER_TASK] for start in range(0, len(blocks), BLOCKS_PER_TASK)]
    with ThreadPoolExecutor(COMPRESSION_THREADS) as pool:
        for done in pool.map(lambda task: [block.compressed() for block in task], tasks):
            yield from done
