"""All bars of an instrument as one value: packed float64 rows in segments, each segment with a checksum. Pure."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# session (days since 1970), open, high, low, close, adjusted close, volume
WIDTH = 7
ROW = np.dtype(("<f8", WIDTH))
SEGMENT_ROWS = 128
CHECKSUM = np.dtype("<u4")

BarArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """The bytes of the rows, and those of the checksums of their segments."""

    row_count: int
    body: bytes
    checksums: bytes


def pack(bars: BarArray) -> Block:
    """bars: shape (n, 7), oldest first; every segment but the last has 128 rows."""
    body = np.ascontiguousarray(bars, dtype="<f8").tobytes()
    return Block(len(bars), body, _checksums(body))


def unpack(body: bytes, checksums: bytes) -> BarArray | None:
    """Rows from whole segments, shape (n, 7), not to be written to; None when a checksum does not fit."""
    if len(body) % ROW.itemsize or _checksums(body) != checksums:
        return None
    return np.frombuffer(body, dtype="<f8").reshape(-1, WIDTH)


def _checksums(body: bytes) -> bytes:
    step, whole = SEGMENT_ROWS * ROW.itemsize, memoryview(body)
    sums = [zlib.crc32(whole[start : start + step]) for start in range(0, len(body), step)]
    return np.array(sums, dtype=CHECKSUM).tobytes()
