"""Header lines as they go over the wire, `name: value` with CR and LF, and as pairs."""

from collections.abc import Iterable

Pair = tuple[str, str]


def lines_of(pairs: Iterable[Pair]) -> bytes:
    """The pairs as lines, names in small letters."""
    return "".join([f"{name.lower()}: {value}\r\n" for name, value in pairs]).encode("latin-1")


def pairs_of(lines: bytes) -> list[Pair]:
    """The lines as pairs."""
    pairs = []
    for line in lines.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(": ")
        pairs.append((name, value))
    return pairs
