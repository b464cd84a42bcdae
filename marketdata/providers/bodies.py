"""Read vendor bodies within a limit on decompressed bytes: a few kilobytes may decompress to gigabytes."""

import zlib

MAX_BODY_BYTES = 32 * 2**20
# Formats that zlib decompresses in bounded steps; a single step of Brotli or Zstandard may exceed any limit.
ACCEPT_ENCODING = "gzip, deflate"
AUTODETECT_HEADER = zlib.MAX_WBITS | 32


class BodyRefused(Exception):
    """The body is too large, or not in a requested encoding; the message says which."""


class BoundedBody:
    """Collects the pieces of a body, decompressed, up to `max_bytes`."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "deflate"):
            raise BodyRefused("response has an encoding that was not requested")
        self._decoder = zlib.decompressobj(AUTODETECT_HEADER) if name in ("gzip", "deflate") else None
        self._max_bytes = max_bytes
        self._received = bytearray()

    def feed(self, piece: bytes) -> None:
        """Add a piece as it arrived; raises BodyRefused once the limit is exceeded or the encoding is invalid."""
        if self._decoder is not None:
            try:
                piece = self._decoder.decompress(piece, self._max_bytes - len(self._received) + 1)
            except zlib.error:
                raise BodyRefused("response is not validly compressed") from None
        self._received += piece
        if len(self._received) > self._max_bytes:
            raise BodyRefused(f"response exceeds {self._max_bytes:,} bytes")

    def content(self) -> bytes:
        """Return the whole body; raises BodyRefused if its compression is incomplete."""
        if self._decoder is not None and self._received and not self._decoder.eof:
            raise BodyRefused("response is not validly compressed")
        return bytes(self._received)
