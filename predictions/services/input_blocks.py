"""The numbers that forecasts were computed from, packed and stored, each distinct block once."""

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
from predictions.models.forecast_row import InputKey
from predictions.services.ledger import next_keys
from predictions.services.rows import InputKeys, Occasion

COPY = """
COPY predictions_forecastinput (id, instrument_id, origin, feature_set, sha256, rows, columns, block)
FROM STDIN (FORMAT BINARY)
"""
COMPRESSING = 2
BLOCKS_AT_A_TIME = 25
TYPES = ("int8", "int8", "date", "varchar", "varchar", "int4", "int4", "bytea")


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """Numbers as little-endian float64 in row order, their hash, and how to read them."""

    raw: bytes
    sha256: str
    rows: int
    columns: int

    def compressed(self) -> bytes:
        """The bytes that are stored."""
        return zlib.compress(self.raw)


def packed(inputs: FloatArray) -> PackedBlock:
    """The block of an array of shape (rows, columns)."""
    numbers: FloatArray = np.atleast_2d(inputs)
    raw = np.ascontiguousarray(numbers, dtype="<f8").tobytes()
    return PackedBlock(raw, hashlib.sha256(raw).hexdigest(), *numbers.shape)


def stored_inputs(
    said: Sequence[InstrumentForecast], instruments: Mapping[str, Instrument], occasion: Occasion
) -> InputKeys:
    """Store the blocks that are not stored yet; the caller holds the chain, so that nobody else does meanwhile."""
    blocks: dict[tuple[str, int], PackedBlock] = {}
    wanted: dict[tuple[str, int], tuple[int, str]] = {}
    distinct: dict[tuple[int, str], PackedBlock] = {}
    for forecast in said:
        if forecast.inputs is None:
            continue
        # All horizons of a symbol were computed from one array, which `said` keeps alive: it is packed once.
        array = forecast.symbol, id(forecast.inputs)
        if array not in blocks:
            blocks[array] = packed(forecast.inputs)
        content = instruments[forecast.symbol].pk, blocks[array].sha256
        wanted[forecast.symbol, forecast.horizon_sessions] = content
        distinct[content] = blocks[array]
    keys = _known(occasion)
    keys |= _added({content: block for content, block in distinct.items() if content not in keys}, occasion)
    return {forecast: InputKey(keys[content], content[1]) for forecast, content in wanted.items()}


def _known(occasion: Occasion) -> dict[tuple[int, str], int]:
    """The keys of the occasion's stored blocks by (instrument key, hash)."""
    stored = ForecastInput.objects.filter(origin=occasion.origin, feature_set=occasion.version.feature_set)
    return {(instrument, sha256): key for key, instrument, sha256 in stored.values_list("pk", "instrument", "sha256")}


def _added(blocks: Mapping[tuple[int, str], PackedBlock], occasion: Occasion) -> dict[tuple[int, str], int]:
    """Insert blocks of the occasion; returns their keys by (instrument key, hash)."""
    if not blocks:
        return {}
    keys = next_keys("predictions_forecastinput", len(blocks))
    shared = occasion.origin, occasion.version.feature_set
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(TYPES)
        stored = _compressed(list(blocks.values()))
        for key, ((instrument, sha256), block), numbers in zip(keys, blocks.items(), stored, strict=True):
            copy.write_row((key, instrument, *shared, sha256, block.rows, block.columns, numbers))
    return dict(zip(blocks, keys, strict=True))


def _compressed(blocks: Sequence[PackedBlock]) -> Iterator[bytes]:
    """The bytes that are stored of each block, in order; threads make them piece by piece."""
    pieces = [blocks[start : start + BLOCKS_AT_A_TIME] for start in range(0, len(blocks), BLOCKS_AT_A_TIME)]
    with ThreadPoolExecutor(COMPRESSING) as pool:
        for piece in pool.map(lambda piece: [block.compressed() for block in piece], pieces):
            yield from piece
