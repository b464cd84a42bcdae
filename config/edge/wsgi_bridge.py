"""Calls Django's WSGI application from an event loop."""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from config.edge.render import Response, header_lines
from config.http.errors import ServerBusy

THREADS = 4
MAX_REQUESTS = 256

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiBridge:
    """Runs requests in a few threads and refuses more than `max_requests` at once. Bodies are not passed on."""

    def __init__(self, application: Wsgi, threads: int = THREADS, max_requests: int = MAX_REQUESTS) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="django")
        self._max_requests = max_requests
        self._running = 0

    async def request(self, scope: Mapping[str, Any], extra: Mapping[str, Any]) -> Response:
        """Return the response to the request, to whose environment `extra` is added. Raises ServerBusy."""
        if self._running >= self._max_requests:
            raise ServerBusy
        self._running += 1
        try:
            environ = {**environ_of(scope), **extra}
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, environ)
        finally:
            self._running -= 1

    def close(self) -> None:
        """Accept no more requests."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, environ: dict[str, Any]) -> Response:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self._application(environ, lambda status, headers, error=None: started.append((status, headers)))
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        return Response(int(status.split(" ", 1)[0]), header_lines(headers), body)


def environ_of(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333) of a request."""
    server = scope.get("server") or ("127.0.0.1", 0)
    client = scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            # WSGI would take it for the header with a hyphen, which a proxy may have checked or set itself.
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ
