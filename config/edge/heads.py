"""Heads of requests as bytes: what a plain one asks."""

from dataclasses import dataclass

import httptools

from config.edge.asking import READ_PATH, Ask, Reader
from config.edge.reads import ask_of

START = f"GET {READ_PATH}?".encode()
END = b"\r\n\r\n"
LONGEST_HEAD = 4_096


@dataclass(slots=True)
class Head:
    """One whole request without a body."""

    ask: Ask
    keep_alive: bool


def head_of(reader: Reader, received: bytes) -> Head | None:
    """What was received, if that is one whole plain request and nothing else."""
    if not received.startswith(START) or not received.endswith(END) or len(received) > LONGEST_HEAD:
        return None
    parts = _Parts()
    try:
        parts.parser.feed_data(received)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    finally:
        # Each knows the other, and only a collection would find out that nobody else does.
        del parts.parser
    if (parts.begun, parts.ended) != (1, 1) or not parts.is_usual:
        return None
    _, _, query = parts.url.partition(b"?")
    ask = None if b"#" in query else ask_of(reader, "GET", query, parts.headers)
    return None if ask is None else Head(ask, parts.keep_alive)


class _Parts:
    """What the parser finds."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.begun = self.ended = 0
        self.is_usual = self.keep_alive = False
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # Asked now, because the parser forgets with the end of the message.
        self.is_usual = self.parser.get_http_version() == "1.1" and not self.parser.should_upgrade()
        self.keep_alive = self.parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.ended += 1
