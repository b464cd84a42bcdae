"""`GET /api/v1/predict` over ASGI: what the protocol in front left to do, and Django for whatever is unusual."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from accounts.errors import InvalidCredentials
from config.edge.answers import Reply, problem_reply
from config.edge.asking import WSGI_NAMES, Ask, Call, Reader, call_of
from config.edge.desk import Desk
from config.edge.held import Found, HeldAnswer
from config.edge.inside import Inside
from config.edge.lines import pairs_of
from config.http.errors import ServerBusy
from config.http.request_log import request_id_for
from predictions.api.predict import SEEN
from predictions.readpath.cache import look_of

# Where the protocol leaves, in the scope's state, a call that it has counted, with what was found for it.
COUNTED_CALL = "hindcast.counted_call"


class Reads:
    """Answers plain calls from the desk and hands the others to Django."""

    def __init__(self, desk: Desk, reader: Reader, inside: Inside) -> None:
        self._desk = desk
        self._reader = reader
        self._inside = inside
        self._filling: dict[tuple[str, int], asyncio.Event] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        reply = await self._reply(scope)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs_of(reply.lines)]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, scope: Any) -> Reply:
        began = time.perf_counter()
        counted = scope.get("state", {}).get(COUNTED_CALL)
        if counted is not None:
            call, found = counted
            return await self._filled(scope, call, found, began)
        try:
            call = self._call_of(scope)
            if call is None:
                return await self._by_django(scope)
            found, held = await self._found(call)
        except (InvalidCredentials, RedisError):
            return await self._by_django(scope)
        reply = self._desk.reply(call, found, held, began)
        return await self._filled(scope, call, found, began) if reply is None else reply

    def _call_of(self, scope: Any) -> Call | None:
        ask = ask_of(self._reader, scope["method"], scope["query_string"], scope["headers"])
        client = scope.get("client")
        return None if ask is None else call_of(ask, client[0] if client else "")

    async def _found(self, call: Call) -> tuple[Found, HeldAnswer | None]:
        """Count the call and look its answer up. Raises RedisError."""
        reply = asyncio.get_running_loop().create_future()
        held = self._desk.ask(call, lambda told: None if reply.done() else reply.set_result(told))
        return self._desk.found_in(await reply, call, held)

    async def _filled(self, scope: Any, call: Call, found: Found, began: float) -> Reply:
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
            again, held = await self._desk.look_again(call)
        except RedisError:
            held = None
        if held is None:
            return await self._by_django(scope, {SEEN: seen})
        return self._desk.told(call, again, held, began)

    async def _by_django(self, scope: Any, facts: Mapping[str, Any] | None = None) -> Reply:
        try:
            return await self._inside.ask(scope, facts or {})
        except ServerBusy as error:
            return problem_reply(error, request_id_for(""))


def ask_of(reader: Reader, method: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> Ask | None:
    """What is asked by a request as ASGI tells it, names of headers in small letters."""
    known: dict[str, str] = {}
    for raw_name, value in headers:
        name = WSGI_NAMES.get(raw_name)
        if name is not None:
            if name in known:
                return None
            known[name] = value.decode("latin-1")
    return reader.ask_of(method, query.decode("latin-1"), known)
