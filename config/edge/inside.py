"""Django behind an event loop: whole requests in a few threads, and no more of them at once than may wait."""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from config.edge.answers import Reply
from config.edge.lines import lines_of
from config.http.errors import ServerBusy

THREADS = 4
MOST_INSIDE = 256

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Inside:
    """Asks a WSGI application. The body of a request is not handed on: nothing at this address reads one."""

    def __init__(self, application: Wsgi, threads: int = THREADS, most: int = MOST_INSIDE) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="django")
        self._most = most
        self._inside = 0

    async def ask(self, scope: Mapping[str, Any], facts: Mapping[str, Any]) -> Reply:
        """The answer to the request, to whose environment the facts are added. Raises ServerBusy."""
        if self._inside >= self._most:
            raise ServerBusy
        self._inside += 1
        try:
            environ = {**environ_of(scope), **facts}
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, environ)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Take no more requests."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, environ: dict[str, Any]) -> Reply:
        told: list[tuple[str, list[tuple[str, str]]]] = []
        parts = self._application(environ, lambda status, headers, error=None: told.append((status, headers)))
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = told[-1]
        return Reply(int(status.split(" ", 1)[0]), lines_of(headers), body)


def environ_of(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The request as WSGI tells it (PEP 3333)."""
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
            # It would be taken for the header with a hyphen, which a proxy may have judged or set itself.
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ
