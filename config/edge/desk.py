"""The short way from a call to its reply in an event loop: one trip to the store, with no coroutine in between."""

import time
from typing import Any

from redis.exceptions import RedisError, ResponseError

from config.edge.answers import Answers, Counts, Reply, is_fresh
from config.edge.asking import Call
from config.edge.held import Commands, Found, Held, HeldAnswer, reading_command
from config.edge.pipe import OnReply, Pipe
from predictions.readpath.cache import READ_LUA

LOAD_SCRIPT = ("SCRIPT", "LOAD", READ_LUA)


class Desk:
    """What plain calls are answered from."""

    def __init__(self, pipe: Pipe, counts: Counts) -> None:
        self._pipe = pipe
        self._answers = Answers(counts)
        self._held = Held()
        self._commands = Commands()

    def ask(self, call: Call, on_reply: OnReply) -> HeldAnswer | None:
        """Have the call counted and its answer looked up; gives what this process holds, for `found_in` to be given.

        Raises StoreAway.
        """
        held = self._held.of(call.query)
        self._pipe.send(self._commands.of(call.caller, call.query, held), on_reply)
        return held

    async def look_again(self, call: Call) -> tuple[Found, HeldAnswer | None]:
        """The same lookup for a call that was counted before. Raises RedisError."""
        held = self._held.of(call.query)
        tag = b"" if held is None else held.tag
        return self.found_in(await self._pipe.ask(*reading_command(call.caller, call.query, tag, cost=0)), call, held)

    def found_in(self, reply: Any, call: Call, held: HeldAnswer | None) -> tuple[Found, HeldAnswer | None]:
        """What the store replied, and the answer that it found. Raises RedisError."""
        if isinstance(reply, Exception):
            if isinstance(reply, RedisError):
                raise reply
            if str(reply).startswith("NOSCRIPT"):
                self._pipe.ask(*LOAD_SCRIPT)
            raise ResponseError(str(reply))
        return reply, self._held.completed(call.query, held, reply)

    def reply(self, call: Call, found: Found, held: HeldAnswer | None, began: float) -> Reply | None:
        """The reply to a counted call; None when the answer has to be renewed first."""
        if found[0]:
            return self._answers.refused(call, found, began)
        if held is None or not is_fresh(found, time.time()):
            return None
        return self.told(call, found, held, began)

    def told(self, call: Call, found: Found, held: HeldAnswer, began: float) -> Reply:
        """The answer, as stale where it is no longer fresh."""
        return self._answers.told(call, held, found, began)
