"""ASGI middleware that keeps the next request on a connection from being forged by the one before it.

llhttp, which parses HTTP under uvicorn, ends a request with `Upgrade` at its head, so the body would be parsed as
another request: one caller's request in another's connection, behind a proxy that shares connections.
"""

from typing import Any

from config.edge.protocol import malformed_request
from config.stream.routing import Asgi

STREAM_PATH = "/ws/stream"
CLOSE = (b"connection", b"close")


class ConnectionGuard:
    """Refuses ambiguous requests with 400, and closes the connection after them and after unused upgrades.

    Ambiguous are an upgrade with a body and an HTTP/1.1 request without exactly one Host. It works under every server,
    because a server closes the connection, and drops what it has parsed beyond, after `Connection: close`.
    """

    def __init__(self, application: Asgi) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket" and _has_body(scope):
            await _refuse_handshake(scope, receive, send)
        elif scope["type"] == "http" and _is_ambiguous(scope):
            await malformed_request(scope, receive, _closing(send))
        elif scope["type"] == "http" and _is_upgrade(scope):
            await self._application(scope, receive, _closing(send))
        else:
            await self._application(scope, receive, send)


def _is_ambiguous(scope: Any) -> bool:
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    return (scope["http_version"] == "1.1" and hosts != 1) or (_is_upgrade(scope) and _has_body(scope))


def _is_upgrade(scope: Any) -> bool:
    return scope["method"] == "CONNECT" or any(name == b"upgrade" for name, _ in scope["headers"])


def _has_body(scope: Any) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
        for name, value in scope["headers"]
    )


def _closing(send: Any) -> Any:
    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [header for header in message.get("headers", []) if header[0].lower() != b"connection"]
            message = {**message, "headers": [*headers, CLOSE]}
        await send(message)

    return send_and_close


async def _refuse_handshake(scope: Any, receive: Any, send: Any) -> None:
    """Answer 400 where the server can answer a handshake, else 403."""

    async def send_denial(message: Any) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await malformed_request(scope, receive, _closing(send_denial))
    else:
        await send({"type": "websocket.close"})
