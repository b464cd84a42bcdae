"""`GET /api/v1/predict` in the event loop: one trip to the store, ready-made bytes; Django for whatever is unusual."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from accounts.errors import CredentialsRefused
from accounts.limits import allowance_of
from config.errors import Crowded
from config.fastpath.answers import Answers, Reply, is_fresh, is_whole, problem_reply
from config.fastpath.asking import READ, UNUSUAL, Call, Reader
from config.fastpath.inside import Inside
from config.fastpath.pipe import Pipe
from config.fastpath.tally import Tally
from config.request_log import accepted_id
from predictions.api.predict import SEEN
from predictions.readpath.cache import COUNTED, READ_LUA, arguments_of, keys_of, look_of

SCRIPT_SHA = hashlib.sha1(READ_LUA.encode(), usedforsecurity=False).hexdigest()
LOAD_SCRIPT = ("SCRIPT", "LOAD", READ_LUA)
# The headers that matter, by their names in ASGI.
_NAMES = {name.removeprefix("HTTP_").lower().replace("_", "-").encode(): name for name in READ + UNUSUAL}


class Reads:
    """Answers plain calls by itself and hands the others to Django."""

    def __init__(self, pipe: Pipe, inside: Inside, tally: Tally) -> None:
        self._pipe = pipe
        self._inside = inside
        self._tally = tally
        self._reader = Reader()
        self._answers = Answers(tally.answered)
        self._filling: dict[tuple[str, int], asyncio.Event] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        try:
            call = self._call_of(scope)
        except CredentialsRefused:
            call = None
        reply = await (self._by_django(scope) if call is None else self._answer(scope, call, began))
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _call_of(self, scope: Any) -> Call | None:
        headers: dict[str, str] = {}
        for raw_name, value in scope["headers"]:
            name = _NAMES.get(raw_name)
            if name is not None:
                if name in headers:
                    return None
                headers[name] = value.decode("latin-1")
        client = scope.get("client")
        peer = client[0] if client else ""
        return self._reader.call_of(scope["method"], scope["query_string"].decode("latin-1"), peer, headers)

    async def _answer(self, scope: Any, call: Call, began: float) -> Reply:
        try:
            found = await self._found(call, cost=1)
        except RedisError:
            return await self._by_django(scope)
        allowance = allowance_of(call.caller, found[:COUNTED])
        if allowance.refused_by is not None:
            return self._answers.refused(call, allowance, began)
        if not is_fresh(found):
            return await self._filled(scope, call, found, began)
        self._tally.told(call, found)
        return self._answers.told(call, allowance, found, began)

    async def _found(self, call: Call, cost: int) -> Sequence[Any]:
        """What the reading script replies; at no cost it only reads. Raises RedisError."""
        query = call.query
        keys, arguments = keys_of(call.caller), arguments_of(call.caller, query.symbol, query.horizon, cost)
        reply = await self._pipe.ask("EVALSHA", SCRIPT_SHA, len(keys), *keys, *arguments)
        if isinstance(reply, Exception):
            if str(reply).startswith("NOSCRIPT"):
                self._pipe.ask(*LOAD_SCRIPT)
            raise ResponseError(str(reply))
        found: Sequence[Any] = reply
        return found

    async def _filled(self, scope: Any, call: Call, found: Sequence[Any], began: float) -> Reply:
        """Have Django renew the answer, once for all who want it here; the others read it again when that is done.

        One that could not be renewed is told as stale.
        """
        name = (call.query.symbol, call.query.horizon)
        filling = self._filling.get(name)
        seen = look_of(call.caller, found)
        if filling is None:
            filling = self._filling[name] = asyncio.Event()
            try:
                return await self._by_django(scope, {SEEN: seen})
            finally:
                del self._filling[name]
                filling.set()
        await filling.wait()
        try:
            again = await self._found(call, cost=0)
        except RedisError:
            again = ()
        if not is_whole(again):
            return await self._by_django(scope, {SEEN: seen})
        self._tally.told(call, again)
        return self._answers.told(call, seen.allowance, again, began)

    async def _by_django(self, scope: Any, facts: Mapping[str, Any] | None = None) -> Reply:
        try:
            return await self._inside.ask(scope, facts or {})
        except Crowded as error:
            return problem_reply(error, accepted_id(""))
