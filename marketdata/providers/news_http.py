"""One bounded question over HTTP: a deadline for the whole answer, a limit on its size, and no key in any log."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import stamina

from marketdata.providers.news_base import Failure, NewsRejected, NewsUnavailable, failed

LARGEST_ANSWER = 8_000_000
ATTEMPTS = 2
LONGEST_PAUSE_S = 0.5
STATUS_FAILURES = {
    401: Failure.BAD_KEY,
    403: Failure.BAD_KEY,
    404: Failure.REFUSED,
    408: Failure.SLOW,
    429: Failure.RATE_LIMITED,
}
TRANSIENT = (Failure.UNREACHABLE, Failure.BROKEN)

# httpx logs the whole address of every call, and Alpha Vantage takes its key there.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and the JSON object that came with it; None where the body is something else."""

    status: int
    body: Mapping[str, Any] | None


def ask(
    provider: str, url: str, *, parameters: Mapping[str, str], headers: Mapping[str, str], timeout_s: float
) -> Reply:
    """The reply, whatever its status, within `timeout_s` in all; a dropped call is tried once more in that time.

    Raises NewsUnavailable when there is no whole reply. The error holds neither the address nor what caused it.
    """
    deadline = time.monotonic() + timeout_s
    for attempt in stamina.retry_context(
        on=_is_transient, attempts=ATTEMPTS, timeout=timeout_s, wait_initial=0.05, wait_max=LONGEST_PAUSE_S
    ):
        with attempt:
            return _asked_once(provider, url, parameters, headers, deadline)
    raise failed(provider, Failure.SLOW)


def failure_of_status(status: int) -> Failure | None:
    """What a status means where the body says no more; None for a success."""
    if 200 <= status < 300:
        return None
    if status >= 500:
        return Failure.BROKEN
    return STATUS_FAILURES.get(status, Failure.REFUSED if status >= 400 else Failure.MALFORMED)


def _is_transient(error: Exception) -> bool:
    return isinstance(error, NewsUnavailable) and error.failure in TRANSIENT


def _asked_once(
    provider: str, url: str, parameters: Mapping[str, str], headers: Mapping[str, str], deadline: float
) -> Reply:
    failure: Failure
    try:
        return _read(provider, url, parameters, headers, deadline)
    except httpx.TimeoutException:
        failure = Failure.SLOW
    except (httpx.HTTPError, httpx.InvalidURL):
        failure = Failure.UNREACHABLE
    raise failed(provider, failure)


def _read(provider: str, url: str, parameters: Mapping[str, str], headers: Mapping[str, str], deadline: float) -> Reply:
    received = bytearray()
    with (
        httpx.Client(timeout=_left(provider, deadline), headers={"User-Agent": "Hindcast", **headers}) as client,
        client.stream("GET", url, params=dict(parameters)) as response,
    ):
        for piece in response.iter_bytes():
            received += piece
            _left(provider, deadline)
            if len(received) > LARGEST_ANSWER:
                raise failed(provider, Failure.MALFORMED)
        if response.status_code >= 500:
            raise failed(provider, Failure.BROKEN)
        return Reply(response.status_code, _json_object(bytes(received)))


def _left(provider: str, deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise failed(provider, Failure.SLOW)
    return left


def _json_object(content: bytes) -> Mapping[str, Any] | None:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


__all__ = ["Failure", "NewsRejected", "NewsUnavailable", "Reply", "ask", "failed", "failure_of_status"]
