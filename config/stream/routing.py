"""Address of the socket, and the answers of the `edge` process at other addresses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from alerts.live import AlertChannel
from config.http.problem_responses import CONTENT_TYPE, problem_bytes
from config.http.problems import NOT_FOUND
from config.http.request_log import REQUEST_ID_HEADER, request_id_for
from config.stream.access import SiteOriginValidator, StreamAuthentication
from config.stream.consumer import StreamConsumer
from config.stream.credential_guard import CredentialGuard
from config.stream.hub import Hub
from config.stream.limits import SocketLimits
from config.stream.metrics import forget_this_process
from config.stream.protocol import Channels
from config.stream.user_inbox import UserInbox
from marketdata.live import PriceChannel
from predictions.live.forecasts import ForecastChannel
from predictions.live.jobs import JobChannel
from store.user_messages import CREDENTIALS_CHANGED, TOPIC_CHANGED

CHANNELS: Channels = {
    channel.NAME: channel for channel in (PriceChannel(), ForecastChannel(), JobChannel(), AlertChannel())
}

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class Service(Protocol):
    """Something that runs beside the answers as long as the server does."""

    def start(self) -> None: ...
    async def close(self) -> None: ...


def stream_application(
    redis_url: str, http: Asgi | None = None, channels: Channels = CHANNELS, services: Sequence[Service] = ()
) -> Asgi:
    """The whole ASGI application around one hub: the stream at `/ws/stream`, and `http` or a 404 for the rest.

    The services are started and closed with the server.
    """
    hub, guard = Hub(redis_url), CredentialGuard()
    handlers = {CREDENTIALS_CHANGED: guard.on_credentials_changed, TOPIC_CHANGED: hub.on_topic_changed}
    inbox = UserInbox(handlers, on_gap=guard.check_everyone)
    stream: Any = StreamAuthentication(
        StreamConsumer(hub, channels, guard, inbox, SocketLimits(settings.HINDCAST_LIMITS))
    )
    nothing: Any = refuse_socket
    sockets = URLRouter([path("ws/stream", stream), re_path("", nothing)])
    origins = [*settings.ALLOWED_HOSTS, *settings.CORS_ALLOWED_ORIGINS]
    application: Asgi = ProtocolTypeRouter(
        {
            "websocket": SiteOriginValidator(sockets, origins),
            "http": http or answer_not_found,
            "lifespan": Lifespan([hub, guard, inbox, *services]),
        }
    )
    return application


class Lifespan:
    """Starts what runs beside the answers when the server starts, and closes it when the server stops."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for service in self._services:
            service.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for service in self._services:
            await service.close()
        forget_this_process()
        await send({"type": "lifespan.shutdown.complete"})


async def refuse_socket(scope: Any, receive: Any, send: Any) -> None:
    """No socket lives at any other address."""
    await receive()
    await send({"type": "websocket.close"})


async def answer_not_found(scope: Any, receive: Any, send: Any) -> None:
    """Pages and the API are served by another process."""
    name = REQUEST_ID_HEADER.lower().encode()
    offered = next((value for header, value in scope["headers"] if header == name), b"")
    request_id = request_id_for(offered.decode("latin-1"))
    body = problem_bytes(NOT_FOUND, request_id)
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (name, request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": NOT_FOUND.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
