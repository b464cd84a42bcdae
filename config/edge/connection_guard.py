"""ASGI middleware that keeps a request from forging the next one on its connection.

llhttp, which parses HTTP under uvicorn, ends a request with `Upgrade` at its head and would parse its body as another
request. Behind a proxy that shares connections, the answer to that request would reach another client.
"""

from collections.abc import Sequence
from typing import Any

from config.edge.render import Response, problem
from config.http.problems import BY_STATUS
from config.http.request_log import new_request_id
from config.stream.routing import Asgi

STREAM_PATH = b"/ws/stream"
VERSIONS = ("1.0", "1.1")
CLOSE = (b"connection", b"close")

Headers = Sequence[tuple[bytes, bytes]]


class ConnectionGuard:
    """Refuses ambiguous requests with 400, and closes the connection after them and after every unused upgrade.

    Ambiguous are an upgrade with a body, several Hosts, none in HTTP/1.1, and another version, such as HTTP/0.9. The
    guard does not depend on the server: each closes the connection, and drops what it has read beyond, after
    `Connection: close`.
    """

    def __init__(self, application: Asgi) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif _is_ambiguous(scope):
            await answer(malformed(), scope, receive, _closing(send))
        elif _is_upgrade(scope):
            await self._application(scope, receive, _closing(send))
        else:
            await self._application(scope, receive, send)


def is_stream_handshake(scope: Any, url: bytes) -> bool:
    """Return whether a request for an upgrade to WebSocket may be granted."""
    is_get = scope["method"] == "GET" and scope["http_version"] == "1.1"
    return is_get and url.partition(b"?")[0] == STREAM_PATH and not _has_body(scope["headers"])


def malformed() -> Response:
    """Return the answer to a malformed request."""
    return problem(BY_STATUS[400], new_request_id())


async def answer(response: Response, scope: Any, receive: Any, send: Any) -> None:
    """Answer with the response (an ASGI application, once the response is given)."""
    await send_response(send, response)


async def send_response(send: Any, response: Response) -> None:
    """Send a rendered response over ASGI."""
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    await send({"type": "http.response.body", "body": response.body})


def _is_ambiguous(scope: Any) -> bool:
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    is_misaddressed = hosts > 1 or (hosts == 0 and scope["http_version"] == "1.1")
    is_unknown_version = scope["http_version"] not in VERSIONS
    return is_misaddressed or is_unknown_version or (_is_upgrade(scope) and _has_body(scope["headers"]))


def _is_upgrade(scope: Any) -> bool:
    return scope["method"] == "CONNECT" or any(name == b"upgrade" for name, _ in scope["headers"])


def _has_body(headers: Headers) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0") for name, value in headers
    )


def _closing(send: Any) -> Any:
    """Return a `send` that adds `Connection: close`."""

    async def send_closing(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [header for header in message.get("headers", []) if header[0].lower() != CLOSE[0]]
            message = {**message, "headers": [*headers, CLOSE]}
        await send(message)

    return send_closing
