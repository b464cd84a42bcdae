"""WSGI application that answers every request with its own id and the headers that the test looks at."""

import json
from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    body = json.dumps(headers).encode()
    own = [("Content-Type", "application/json"), ("X-Request-ID", environ.get("HTTP_X_REQUEST_ID", ""))]
    start("200 OK", [*own, ("Content-Length", str(len(body)))])
    return [body]
