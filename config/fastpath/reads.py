"""`GET /api/v1/predict` in the event loop: one trip to the store, ready-made bytes; Django for whatever is unusual."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from redis.exceptions import RedisError, ResponseError

from accounts.errors import CredentialsRefused, RateLimited
from accounts.limits import Allowance, allowance_of, shortened
from config.fastpath.asking import Call, Reader
from config.fastpath.inside import Crowded, Headers, Inside, Reply
from config.fastpath.pipe import Pipe
from config.fastpath.tally import Tally
from config.problems import problem_response
from config.request_log import REQUEST_ID_HEADER, accepted_id
from predictions.api.predict import CACHE_CONTROL, SEEN, is_held, tag_of
from predictions.readpath import cache
from predictions.readpath.cache import COUNTED, READ_LUA, arguments_of, keys_of, look_of

log = structlog.get_logger("hindcast.request")

READ_PATH = "/api/v1/predict"
SCRIPT_SHA = hashlib.sha1(READ_LUA.encode(), usedforsecurity=False).hexdigest()
LOAD_SCRIPT = ("SCRIPT", "LOAD", READ_LUA)
_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_JSON = (b"content-type", b"application/json")
_CACHE_CONTROL = (b"cache-control", CACHE_CONTROL.encode())
_WHOLE = COUNTED + 1 + len(cache.FIELDS)
_UNTIL = COUNTED + 1 + cache.FIELDS.index("until")


class Reads:
    """Answers plain calls by itself and hands the others to Django."""

    def __init__(self, pipe: Pipe, inside: Inside, tally: Tally) -> None:
        self._pipe = pipe
        self._inside = inside
        self._tally = tally
        self._reader = Reader()
        self._filling: dict[tuple[str, int], asyncio.Event] = {}
        self._constant = {secure: _constant_headers(secure) for secure in (False, True)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        try:
            call = self._reader.call_of(scope)
            reply = await self._answer(scope, call, began)
        except CredentialsRefused:
            reply = await self._by_django(scope, {})
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answer(self, scope: Any, call: Call | None, began: float) -> Reply:
        if call is None:
            return await self._by_django(scope, {})
        try:
            found = await self._found(call, cost=1)
        except RedisError:
            return await self._by_django(scope, {})
        allowance = allowance_of(call.caller, found[:COUNTED])
        if allowance.refused_by is not None:
            return self._refused(call, allowance, began)
        if not _is_fresh(found):
            return await self._filled(scope, call, found, began)
        return self._told(call, allowance, found, began)

    async def _found(self, call: Call, cost: int) -> Sequence[Any]:
        """What the reading script replies; at no cost it only reads. Raises RedisError."""
        quota, query = call.caller, call.query
        keys, arguments = keys_of(quota), arguments_of(quota, query.symbol, query.horizon, cost)
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
        if _is_whole(again):
            return self._told(call, seen.allowance, again, began)
        return await self._by_django(scope, {SEEN: seen})

    def _told(self, call: Call, allowance: Allowance, found: Sequence[Any], began: float) -> Reply:
        """The answer that is kept, as fresh or as stale."""
        made, until, fresh, stale, status, _ = found[COUNTED + 1 :]
        now = time.time()
        body = fresh if now < float(until) else stale
        tag = tag_of(body)
        headers = [
            (b"etag", tag.encode()),
            _CACHE_CONTROL,
            (b"age", b"%d" % max(0, now - float(made))),
            *self._common(call, allowance),
        ]
        is_held_already = bool(call.offered) and is_held(call.offered, tag)
        if is_held_already:
            reply = Reply(304, headers, b"")
        else:
            reply = Reply(200, [_JSON, (b"content-length", b"%d" % len(body)), *headers], body)
        seconds = time.perf_counter() - began
        if self._tally.told(call, status.decode(), reply.status, seconds, is_fresh=body is fresh):
            _write_line(call, reply.status, seconds)
        return reply

    def _refused(self, call: Call, allowance: Allowance, began: float) -> Reply:
        """Too many calls: said without Django, because whoever calls too often would keep its threads busy."""
        try:
            allowance.require()
        except RateLimited as error:
            refusal = _problem(error, call.request_id)
        reply = Reply(refusal.status, [*refusal.headers, *self._common(call, allowance)], refusal.body)
        seconds = time.perf_counter() - began
        self._tally.refused(call, reply.status, seconds)
        _write_line(call, reply.status, seconds)
        return reply

    def _common(self, call: Call, allowance: Allowance) -> Headers:
        """The headers of every answer."""
        limits = [(name.lower().encode(), value.encode()) for name, value in allowance.headers().items()]
        return [*limits, (_REQUEST_ID, call.request_id.encode()), *self._constant[call.is_secure]]

    async def _by_django(self, scope: Any, facts: Mapping[str, Any]) -> Reply:
        try:
            return await self._inside.ask(scope, facts)
        except Crowded as error:
            return _problem(error, accepted_id(""))


def _is_whole(found: Sequence[Any]) -> bool:
    return len(found) == _WHOLE and None not in found


def _is_fresh(found: Sequence[Any]) -> bool:
    return _is_whole(found) and time.time() < float(found[_UNTIL])


def _problem(error: Exception, request_id: str) -> Reply:
    """The error as the whole API tells it."""
    request = HttpRequest()
    request.request_id = request_id  # type: ignore[attr-defined]  # read by the table of problems
    response = problem_response(error, request)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    return Reply(response.status_code, [*headers, (b"content-length", b"%d" % len(response.content))], response.content)


def _write_line(call: Call, status: int, seconds: float) -> None:
    """The line that RequestLogMiddleware writes for the calls that Django answers."""
    log.info(
        "request",
        method="GET",
        path=READ_PATH,
        route=READ_PATH[1:],
        status=status,
        duration_ms=round(seconds * 1000, 2),
        client=shortened(call.address),
        user=call.caller.user_id,
        request_id=call.request_id,
    )


def _constant_headers(is_secure: bool) -> Headers:
    """What Django's middleware adds to every answer at this address, asked once of that middleware."""
    request, response = HttpRequest(), HttpResponse()
    request.path = request.path_info = READ_PATH
    if is_secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    SecurityMiddleware(_nothing).process_response(request, response)
    XFrameOptionsMiddleware(_nothing).process_response(request, response)
    CorsMiddleware(_nothing).add_response_headers(request, response)
    del response["Content-Type"]
    return [(name.lower().encode(), value.encode()) for name, value in response.items()]


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
