"""Pack the bars of an instrument into one binary value of float64 rows with a checksum per segment. Pure."""

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
    """Packed rows and the checksums of their segments."""

    row_count: int
    body: bytes
    checksums: bytes


def pack(bars: BarArray) -> Block:
    """Pack bars of shape (n, 7), oldest first; every segment except the last has 128 rows."""
    body = np.ascontiguousarray(bars, dtype="<f8").tobytes()
    return Block(len(bars), body, _checksums(body))


def unpack(body: bytes, checksums: bytes) -> BarArray | None:
    """Return read-only rows of shape (n, 7) from whole segments; None when a checksum differs."""
    if len(body) % ROW.itemsize or _checksums(body) != checksums:
        return None
    return np.frombuffer(body, dtype="<f8").reshape(-1, WIDTH)


def _checksums(body: bytes) -> bytes:
    step, view = SEGMENT_ROWS * ROW.itemsize, memoryview(body)
    checksums = [zlib.crc32(view[start : start + step]) for start in range(0, len(body), step)]
    return np.array(checksums, dtype=CHECKSUM).tobytes()
