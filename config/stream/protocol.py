"""Messages of the socket: the client's commands, the server's messages, and what a channel has to offer.

Client: `{"action": "subscribe" | "unsubscribe", "channel": "prices", "symbols": ["AAPL"]}`,
`{"action": "resume", "channel": "forecasts", "symbols": ["AAPL"], "seq": 41}` (or by symbol: `"seq": {"AAPL": 41}`),
`{"action": "ping"}`. Channels are `prices` and `forecasts` for everyone, `jobs` and `alerts` for their owner.
Server: `snapshot`, then `change` for each change, both with `channel`, `symbol`, `seq`, `as_of` and `stale`; a `seq`
that does not follow the last one shows a gap. Answers: `resumed`, `unsubscribed`, `pong`, `error`.
A socket whose key, token or session ends is closed with code 4401, and a reason such as `revoked-key` or
`expired-token`. Over a limit of sockets or commands (docs/limits.md) the answer is an `error` with the code
`rate-limited` and `retry_after` in seconds; a socket too many, or one that goes on regardless, is closed with code
4429.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeGuard

from config.http.problem_responses import problem_fields
from marketdata.live import Topic, Topics

MAX_FRAME_CHARACTERS = 16_384
MAX_SYMBOLS = 200
ACTIONS = ("subscribe", "unsubscribe", "resume", "ping")


class Channel(Protocol):
    """Interface of the channel in an app's `live` module."""

    @property
    def NAME(self) -> str: ...

    def may_read(self, user: object) -> bool: ...

    def topics_for(self, symbols: Sequence[str], *, user: object, searches: int) -> Topics: ...

    def snapshot(self, topics: Sequence[Topic], *, now: datetime) -> Mapping[str, Mapping[str, Any]]: ...

    def watch(self, topics: Sequence[Topic], *, until: datetime) -> None: ...


Channels = Mapping[str, Channel]


class CommandRefused(Exception):
    """A command that cannot be executed; `code` is for programs, the message for people."""

    retry_after_s: int | None = None

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `seq` is the last number the client saw, for all its symbols or by symbol."""

    action: str
    channel: str = ""
    symbols: tuple[str, ...] = ()
    seq: int | Mapping[str, int] = 0

    def position_of(self, symbol: str) -> int | None:
        """Return the last number the client saw of this symbol; None when it gave none."""
        return self.seq if isinstance(self.seq, int) else self.seq.get(symbol)


def command_of(text: str | None, channels: Channels) -> Command:
    """Parse a frame. Raises CommandRefused."""
    if text is None:
        raise CommandRefused("malformed", "Commands are JSON text, not binary frames.")
    if len(text) > MAX_FRAME_CHARACTERS:
        raise CommandRefused("too-large", f"A command has at most {MAX_FRAME_CHARACTERS} characters.")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandRefused("malformed", "The frame is not JSON.") from error
    if not isinstance(fields, dict):
        raise CommandRefused("malformed", 'A command is an object such as {"action": "ping"}.')
    action = fields.get("action")
    if action not in ACTIONS:
        raise CommandRefused("unknown-action", f"`action` is one of {', '.join(ACTIONS)}.")
    if action == "ping":
        return Command(action)
    return Command(action, _channel(fields, channels), _symbols(fields), _seq(fields) if action == "resume" else 0)


def error_text(error: CommandRefused) -> str:
    """Return the answer to a command that cannot be executed."""
    wait = {} if error.retry_after_s is None else {"retry_after": error.retry_after_s}
    return encoded({"type": "error", "code": error.code, "detail": str(error), **wait})


def refusal_text(channel: str, error: Exception) -> str:
    """Return the answer about one symbol without a topic, with the fields of the API's problem."""
    facts = problem_fields(error)
    code = facts.pop("type").rpartition("#")[2]
    return encoded({"type": "error", "code": code, "channel": channel, **facts})


def encoded(message: Mapping[str, Any]) -> str:
    """Return a message as JSON text. Raises ValueError for NaN and infinity."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _channel(fields: Mapping[str, Any], channels: Channels) -> str:
    name = fields.get("channel")
    if not isinstance(name, str) or name not in channels:
        raise CommandRefused("unknown-channel", f"`channel` is one of {', '.join(channels)}.")
    return name


def _symbols(fields: Mapping[str, Any]) -> tuple[str, ...]:
    symbols = fields.get("symbols")
    if not isinstance(symbols, list) or not symbols or not all(isinstance(symbol, str) for symbol in symbols):
        raise CommandRefused("malformed", '`symbols` is a list of one or more texts, such as ["AAPL"].')
    if len(symbols) > MAX_SYMBOLS:
        raise CommandRefused("too-many-symbols", f"A socket follows at most {MAX_SYMBOLS} symbols.")
    return tuple(dict.fromkeys(symbols))


def _seq(fields: Mapping[str, Any]) -> int | Mapping[str, int]:
    seq = fields.get("seq")
    if _is_position(seq):
        return seq
    if isinstance(seq, dict) and all(_is_position(position) for position in seq.values()):
        return seq
    raise CommandRefused("malformed", "`seq` is the last number seen: one for all symbols, or an object by symbol.")


def _is_position(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
