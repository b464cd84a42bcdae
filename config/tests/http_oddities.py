"""Requests that two parsers might read differently."""

from dataclasses import dataclass

FIRST, HIDDEN, LAST = "call-first", "smuggled-1234", "call-last-1"
# What an attacker hides in a body, so that a reader who ends the request too early takes it for a request.
INNER = f"GET PATH HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {HIDDEN}\r\n\r\n".encode()
# Replaced by the length of INNER once the path is known.
LENGTH, HEX_LENGTH = b"LENGTH", b"HEXLEN"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = HEX_LENGTH + b"\r\n" + INNER + b"\r\n0\r\n\r\n"
WEBSOCKET = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@dataclass(frozen=True, slots=True)
class Oddity:
    """A request and the ids that a correct reader answers, in order, before it reads on.

    Any reader may refuse one of them, or close instead of reading on. `closes`: a correct reader never reads on.
    """

    data: bytes
    answered: tuple[str, ...] = (FIRST,)
    closes: bool = False

    def to(self, path: str) -> bytes:
        """Return the bytes for a path."""
        inner = len(INNER.replace(b"PATH", path.encode()))
        data = self.data.replace(b"PATH", path.encode()).replace(HEX_LENGTH, b"%x" % inner)
        return data.replace(LENGTH, b"%d" % inner)


# Refused by every reader, which then closes.
MALFORMED = ("",)


def get(headers: bytes = b"", body: bytes = b"", line: bytes = b"GET PATH HTTP/1.1") -> bytes:
    """Return a request with the first id."""
    return line + f"\r\nHost: localhost\r\nX-Request-ID: {FIRST}\r\n".encode() + headers + b"\r\n" + body


def post(headers: bytes, body: bytes = INNER, line: bytes = b"POST PATH HTTP/1.1") -> bytes:
    """Return a request with a body."""
    return get(headers, body, line)


def upgrade(name: bytes, *headers: bytes) -> bytes:
    """Return the header lines that request an upgrade."""
    return b"Connection: Upgrade\r\nUpgrade: " + name + b"\r\n" + b"".join(headers)


LENGTH_LINE = b"Content-Length: LENGTH\r\n"

LENGTHS = {
    "two lengths, zero first": Oddity(post(b"Content-Length: 0\r\n" + LENGTH_LINE), MALFORMED),
    "two lengths, zero last": Oddity(post(LENGTH_LINE + b"Content-Length: 0\r\n"), MALFORMED),
    "two equal lengths": Oddity(post(LENGTH_LINE + LENGTH_LINE)),
    "list of lengths": Oddity(post(b"Content-Length: LENGTH, 0\r\n"), MALFORMED),
    "list of equal lengths": Oddity(post(b"Content-Length: LENGTH, LENGTH\r\n")),
    "signed length": Oddity(post(b"Content-Length: +LENGTH\r\n"), MALFORMED),
    "hexadecimal length": Oddity(post(b"Content-Length: 0xHEXLEN\r\n"), MALFORMED),
    "negative length": Oddity(post(b"Content-Length: -1\r\n"), MALFORMED),
    "empty length": Oddity(post(b"Content-Length:\r\n"), MALFORMED),
    "endless length": Oddity(post(b"Content-Length: 99999999999999999999999\r\n"), MALFORMED),
    "length with zeros": Oddity(post(b"Content-Length: 000LENGTH\r\n")),
    "length behind a tab": Oddity(post(b"Content-Length:\tLENGTH\r\n")),
    "length and space before the colon": Oddity(post(b"Content-Length : LENGTH\r\n"), MALFORMED),
    "length name with NUL": Oddity(post(b"Content-Length\x00: LENGTH\r\n"), MALFORMED),
    "folded length": Oddity(post(b"Content-Length:\r\n LENGTH\r\n")),
    "length in a folded header": Oddity(post(b"X-A: b\r\n Content-Length: LENGTH\r\n"), (FIRST, HIDDEN)),
    "length name with underscore": Oddity(post(b"Content_Length: LENGTH\r\n"), (FIRST, HIDDEN)),
    "GET with a body": Oddity(get(LENGTH_LINE, INNER)),
}
ENCODINGS = {
    "chunked and length": Oddity(post(LENGTH_LINE + CHUNKED, b"0\r\n\r\n" + INNER), closes=True),
    "length and chunked": Oddity(post(CHUNKED + LENGTH_LINE, b"0\r\n\r\n" + INNER), closes=True),
    "xchunked": Oddity(post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + INNER), closes=True),
    "chunked, identity": Oddity(post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + INNER), closes=True),
    "identity": Oddity(post(b"Transfer-Encoding: identity\r\n" + LENGTH_LINE)),
    "identity, chunked": Oddity(post(b"Transfer-Encoding: identity\r\n" + CHUNKED, CHUNKS)),
    "gzip, chunked": Oddity(post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS)),
    "chunked twice": Oddity(post(CHUNKED + CHUNKED, CHUNKS)),
    "chunked, chunked": Oddity(post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS)),
    "quoted chunked": Oddity(post(b'Transfer-Encoding: "chunked"\r\n', CHUNKS), closes=True),
    "capital chunked": Oddity(post(b"Transfer-Encoding: CHUNKED\r\n", CHUNKS)),
    "chunked behind a tab": Oddity(post(b"Transfer-Encoding:\tchunked\r\n", CHUNKS)),
    "chunked before a vertical tab": Oddity(post(b"Transfer-Encoding: chunked\x0b\r\n", CHUNKS), MALFORMED),
    "space before the colon": Oddity(post(b"Transfer-Encoding : chunked\r\n", CHUNKS), MALFORMED),
    "folded chunked": Oddity(post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS)),
    "encoding name with underscore": Oddity(post(b"Transfer_Encoding: chunked\r\n", INNER), (FIRST, HIDDEN)),
    "chunked in HTTP/1.0": Oddity(post(CHUNKED, CHUNKS, b"POST PATH HTTP/1.0"), closes=True),
}
CHUNK_ODDITIES = {
    "chunk extension": b"HEXLEN;a=b\r\n" + INNER + b"\r\n0\r\n\r\n",
    "quoted chunk extension": b'HEXLEN;a="b;\\"c"\r\n' + INNER + b"\r\n0\r\n\r\n",
    "chunk extension with bare LF": b"HEXLEN;a\n" + INNER + b"\r\n0\r\n\r\n",
    "chunk size with zeros": b"0000HEXLEN\r\n" + INNER + b"\r\n0\r\n\r\n",
    "chunk size with space": b"HEXLEN \r\n" + INNER + b"\r\n0\r\n\r\n",
    "chunk size behind space": b" HEXLEN\r\n" + INNER + b"\r\n0\r\n\r\n",
    "chunk size with prefix": b"0xHEXLEN\r\n" + INNER + b"\r\n0\r\n\r\n",
    "signed chunk size": b"+HEXLEN\r\n" + INNER + b"\r\n0\r\n\r\n",
    "negative chunk size": b"-1\r\n" + INNER + b"\r\n0\r\n\r\n",
    "endless chunk size": b"FFFFFFFFFFFFFFFFFF\r\n" + INNER + b"\r\n0\r\n\r\n",
    "chunk lines with bare LF": b"HEXLEN\n" + INNER + b"\n0\n\n",
    "chunk without its end": b"HEXLEN\r\n" + INNER + b"0\r\n\r\n",
    "chunk with another end": b"HEXLEN\r\n" + INNER + b"XX0\r\n\r\n",
    "chunk size of two zeros": CHUNKS[: -len(b"0\r\n\r\n")] + b"00\r\n\r\n",
    "trailers": b"HEXLEN\r\n" + INNER + b"\r\n0\r\nContent-Length: 5\r\nX-API-Key: one\r\n\r\n",
    "malformed trailer": b"HEXLEN\r\n" + INNER + b"\r\n0\r\nno colon\r\n\r\n",
}
UPGRADES = {
    f"{method.decode()} {name.decode()} with {kind}": Oddity(
        get(upgrade(name, WEBSOCKET, framing), body, method + b" PATH HTTP/1.1")
    )
    for method in (b"GET", b"POST")
    for name in (
        b"h2c",
        b"websocket",
        b"WebSocket",
        b"websocket, h2c",
        b"h2c\r\nUpgrade: websocket",
        b"websocket\r\nUpgrade: h2c",
    )
    for kind, framing, body in (("length", LENGTH_LINE, INNER), ("chunks", CHUNKED, CHUNKS))
} | {
    "h2c without a body": Oddity(get(upgrade(b"h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"))),
    "websocket without a key": Oddity(get(upgrade(b"websocket"))),
    "websocket by POST": Oddity(post(upgrade(b"websocket", WEBSOCKET, b"Content-Length: 0\r\n"), b"")),
    "upgrade without Connection": Oddity(get(b"Upgrade: websocket\r\n" + WEBSOCKET)),
    "upgrade in HTTP/1.0": Oddity(get(upgrade(b"websocket", WEBSOCKET), b"", b"GET PATH HTTP/1.0"), closes=True),
    "CONNECT": Oddity(get(b"", INNER, b"CONNECT localhost:443 HTTP/1.1"), closes=True),
}
HEADS = {
    "plain": Oddity(get()),
    "folded header": Oddity(get(b"X-A: b\r\n c\r\n")),
    "first header is folded": Oddity(b"GET PATH HTTP/1.1\r\n X-A: b\r\nHost: localhost\r\n\r\n", MALFORMED),
    "bare LF": Oddity(get().replace(b"\r\n", b"\n")),
    "bare LF at the end of the head": Oddity(get()[:-2] + b"\n"),
    "bare CR in a value": Oddity(get(b"X-A: b\rX-API-Key: one\r\n")),
    "bare CR before the end": Oddity(get(b"X-A: b\r\r\n")),
    "NUL in a value": Oddity(get(b"X-A: b\x00c\r\n")),
    "NUL in a name": Oddity(get(b"X-\x00A: b\r\n"), MALFORMED),
    "NUL in the target": Oddity(get(line=b"GET PATH\x00 HTTP/1.1"), MALFORMED),
    "bytes beyond ASCII": Oddity(get(b"X-A: \xff\xfe\r\n")),
    "bytes beyond ASCII in the target": Oddity(get(line=b"GET PATH\xff HTTP/1.1")),
    "no colon": Oddity(get(b"No colon here\r\n"), MALFORMED),
    "empty name": Oddity(get(b": b\r\n"), MALFORMED),
    "no Host": Oddity(get().replace(b"Host: localhost\r\n", b"")),
    "empty Host": Oddity(get().replace(b"Host: localhost\r\n", b"Host:\r\n")),
    "two Hosts": Oddity(get(b"Host: elsewhere.example\r\n")),
    "absolute target": Oddity(get(line=b"GET http://localhostPATH HTTP/1.1")),
    "absolute target elsewhere": Oddity(get(line=b"GET http://elsewhere.examplePATH HTTP/1.1")),
    "target of the server": Oddity(get(line=b"OPTIONS * HTTP/1.1")),
    "HTTP/1.0": Oddity(get(line=b"GET PATH HTTP/1.0"), closes=True),
    "HTTP/1.0 with keep-alive": Oddity(get(b"Connection: keep-alive\r\n", line=b"GET PATH HTTP/1.0")),
    "HTTP/0.9": Oddity(b"GET PATH\r\n\r\n", MALFORMED),
    "HTTP/1.9": Oddity(get(line=b"GET PATH HTTP/1.9")),
    "HTTP/9.9": Oddity(get(line=b"GET PATH HTTP/9.9"), MALFORMED),
    "HTTP/2 with prior knowledge": Oddity(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", MALFORMED
    ),
    "TLS": Oddity(bytes.fromhex("160301007a010000760303") + b"\x00" * 100, MALFORMED),
    "two spaces": Oddity(get(line=b"GET  PATH  HTTP/1.1")),
    "tab in the request line": Oddity(get(line=b"GET\tPATH\tHTTP/1.1"), MALFORMED),
    "space at the end of the request line": Oddity(get(line=b"GET PATH HTTP/1.1 ")),
    "lower-case method": Oddity(get(line=b"get PATH HTTP/1.1")),
    "unknown method": Oddity(get(line=b"FOO PATH HTTP/1.1")),
    "empty lines before": Oddity(b"\r\n\r\n" + get()),
    "Connection: close": Oddity(get(b"Connection: close\r\n", INNER), closes=True),
    "Connection names a header": Oddity(get(b"Connection: close, X-Request-ID\r\n", INNER), closes=True),
    "Expect": Oddity(post(b"Expect: 100-continue\r\n" + LENGTH_LINE)),
    "Expect of something else": Oddity(post(b"Expect: a-miracle\r\n" + LENGTH_LINE)),
    "garbage behind": Oddity(get() + b"\x01\x02garbage\r\n\r\n", (FIRST, *MALFORMED), closes=True),
    "long header": Oddity(get(b"X-A: " + b"a" * 70_000 + b"\r\n")),
    "endless header": Oddity(get(b"X-A: " + b"a" * 1_000_000 + b"\r\n")),
    "5,000 headers": Oddity(get(b"".join(b"X-%d: a\r\n" % number for number in range(5_000)))),
    "long target": Oddity(get(line=b"GET PATH&" + b"a" * 100_000 + b" HTTP/1.1")),
}
ODDITIES = (
    LENGTHS
    | ENCODINGS
    | {name: Oddity(post(CHUNKED, body)) for name, body in CHUNK_ODDITIES.items()}
    | UPGRADES
    | HEADS
)
