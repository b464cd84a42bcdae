"""Answers this process has read before: at each trip the store says whether they still hold, and sends only others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hiredis import pack_command

from accounts.principals import Principal
from config.edge.lines import Pair, lines_of
from config.edge.pipe import Command
from predictions.api.predict import CACHE_CONTROL, PredictQuery
from predictions.readpath.bodies import tag_of
from predictions.readpath.cache import COUNTED, FACTS, FIELDS, READ_SHA, arguments_of, keys_of
from predictions.readpath.spellings import meant_by

MOST_HELD = 5_000
_FACTS_ONLY = COUNTED + 1 + len(FACTS)
_WHOLE = COUNTED + 1 + len(FIELDS)
_TAG = COUNTED + 1 + FIELDS.index("tag")
_FRESH = COUNTED + 1 + FIELDS.index("fresh")

# What the reading script replies: five numbers, then who serves and the FIELDS of the answer, as far as there is one.
Found = list[Any]


@dataclass(frozen=True, slots=True)
class Form:
    """The bytes of an answer, and the header lines that tell them: to whoever has them not, and to whoever has."""

    tag: str
    body: bytes
    lines: bytes
    lines_if_held: bytes

    @classmethod
    def of(cls, body: bytes) -> "Form":
        tag = tag_of(body)
        about: list[Pair] = [("etag", tag), ("cache-control", CACHE_CONTROL)]
        content: list[Pair] = [("content-type", "application/json"), ("content-length", str(len(body)))]
        return cls(tag, body, lines_of([*content, *about]), lines_of(about))


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """Both forms of an answer, under the tag that the store has for them; the fresh one is ready to go out."""

    tag: bytes
    fresh: Form
    stale: bytes


class Held:
    """The answers by symbol and horizon."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], HeldAnswer] = {}

    def of(self, query: PredictQuery) -> HeldAnswer | None:
        """What this process has for the query, whether or not it still holds."""
        return self._answers.get((query.symbol, query.horizon))

    def completed(self, query: PredictQuery, held: HeldAnswer | None, found: Found) -> HeldAnswer | None:
        """The answer that was found: the held one, whose forms are added to `found`, or one that is held from now on.

        None when there is none, or only half of one.
        """
        if held is not None and len(found) == _FACTS_ONLY:
            found += (held.fresh.body, held.stale)
            return held
        if not is_whole(found):
            return None
        held = HeldAnswer(found[_TAG], Form.of(found[_FRESH]), found[_FRESH + 1])
        if len(self._answers) >= MOST_HELD:
            self._answers.clear()
        self._answers[query.symbol, query.horizon] = held
        return held


class Commands:
    """The reading script's command as bytes; what is asked again and again is not packed anew."""

    def __init__(self) -> None:
        self._packed: dict[tuple[str, str, int | None, int | None], tuple[bytes | None, bytes]] = {}

    def of(self, caller: Principal, query: PredictQuery, held: HeldAnswer | None) -> bytes:
        """Count one call and read the answer, but not what is held."""
        symbol, tag = meant_by(query.symbol), None if held is None else held.tag
        name = (caller.bucket, f"{symbol}:{query.horizon}", caller.per_minute, caller.per_day)
        known = self._packed.get(name)
        if known is not None and known[0] == tag:
            return known[1]
        packed = bytes(pack_command(reading_command(caller, query, tag or b"", cost=1)))  # type: ignore[arg-type]  # its stub
        if len(self._packed) >= MOST_HELD:
            self._packed.clear()
        self._packed[name] = tag, packed
        return packed


def reading_command(caller: Principal, query: PredictQuery, tag: bytes, *, cost: int) -> Command:
    """The reading script for this caller; at no cost it only reads."""
    keys, arguments = keys_of(caller), arguments_of(caller, query.symbol, query.horizon, cost, tag)
    return ("EVALSHA", READ_SHA, len(keys), *keys, *arguments)


def is_whole(found: Sequence[Any]) -> bool:
    """Whether the reading script found an answer, fresh or not."""
    return len(found) == _WHOLE and None not in found
