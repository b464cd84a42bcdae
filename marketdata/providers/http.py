"""JSON over HTTP from vendors: bounded in time, size and attempts, with API keys redact from errors.

A call ends by its deadline whatever the server does, follows no redirects, and raises only errors of `marketdata`, in
which no key appears even if the vendor's message repeats it.
"""

import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import stamina

from marketdata.errors import FailureKind, MarketDataError, ProviderRejected, ProviderUnavailable
from marketdata.providers.bodies import ACCEPT_ENCODING, MAX_BODY_BYTES, BodyRefused, BoundedBody
from marketdata.providers.deadline import ConnectionDeadline

ATTEMPTS = 3
MAX_MESSAGE_LENGTH = 200
MAX_RETRY_AFTER_S = 24 * 3600.0
MIN_TIME_LEFT_S = 0.05
REDACTED = "[key]"
JSON = "application/json"

Parameters = Mapping[str, str | int]
Admit = Callable[[], None]


@dataclass(frozen=True, slots=True)
class VendorError:
    """Error reported in a response body; `message` is the vendor's text, if useful."""

    kind: FailureKind
    message: str = ""


def no_error_body(_body: Any) -> VendorError | None:
    """Return None: this vendor reports errors by status only."""
    return None


@dataclass(frozen=True, slots=True)
class Vendor:
    """HTTP source. `parse_error_body` recognises error bodies, whatever their status."""

    name: str
    base_url: str
    timeout_s: float
    secrets: tuple[str, ...] = field(default=(), repr=False)
    parse_error_body: Callable[[Any], VendorError | None] = no_error_body
    attempts: int = ATTEMPTS
    max_body_bytes: int = MAX_BODY_BYTES
    clock: Callable[[], float] = time.monotonic


REJECTED = frozenset({FailureKind.UNKNOWN_SYMBOL, FailureKind.BAD_KEY})
RETRYABLE = frozenset({FailureKind.UNREACHABLE})
MESSAGES = {
    FailureKind.UNKNOWN_SYMBOL: "unknown symbol",
    FailureKind.RATE_LIMITED: "rate limit reached",
    FailureKind.QUOTA_SPENT: "quota exhausted",
    FailureKind.BAD_KEY: "API key rejected",
    FailureKind.EMPTY: "empty response",
    FailureKind.MALFORMED: "unreadable response",
    FailureKind.PARTIAL: "incomplete response",
    FailureKind.UNREACHABLE: "unreachable",
    FailureKind.SLOW: "timed out",
}
STATUS_KINDS = {
    401: FailureKind.BAD_KEY,
    402: FailureKind.QUOTA_SPENT,
    403: FailureKind.BAD_KEY,
    408: FailureKind.SLOW,
    429: FailureKind.RATE_LIMITED,
    504: FailureKind.SLOW,
}


def failure(
    provider: str, kind: FailureKind, reason: str = "", *, retry_after_s: float | None = None
) -> ProviderUnavailable | ProviderRejected:
    """Build the error of a failure kind, with its default message unless `reason` is given."""
    message = reason or MESSAGES[kind]
    if kind in REJECTED:
        return ProviderRejected(provider, message, kind)
    return ProviderUnavailable(provider, message, kind, retry_after_s=retry_after_s)


def failure_kind_of_status(status: int) -> FailureKind:
    """Map an error status to a failure kind."""
    if status in STATUS_KINDS:
        return STATUS_KINDS[status]
    return FailureKind.UNREACHABLE if status >= 500 else FailureKind.MALFORMED


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """Shorten `text` to one line without secrets, in any case or URL encoding."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret)} - {""}:
            text = re.sub(re.escape(form), REDACTED, text, flags=re.IGNORECASE)
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()[:MAX_MESSAGE_LENGTH]


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; None for dates and invalid values."""
    value = headers.get("Retry-After", "")
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else None


def get_json(
    vendor: Vendor,
    path: str,
    parameters: Parameters,
    *,
    headers: Mapping[str, str] | None = None,
    admit: Admit = lambda: None,
) -> Any:
    """GET `path` below the vendor's base URL and parse the JSON.

    `admit` is called before every attempt and may raise to prevent it, so retries count against budgets. Only
    connection failures are retried, with a short jittered pause, until the deadline. Raises ProviderUnavailable or
    ProviderRejected.
    """
    # Parameters and headers never enter an exception, because they contain the key.
    sent = {"Accept": JSON, "Accept-Encoding": ACCEPT_ENCODING, **(headers or {})}
    with httpx.Client(verify=_tls(), follow_redirects=False, headers=sent) as client:
        deadline = vendor.clock() + vendor.timeout_s
        for attempt in stamina.retry_context(
            on=_is_retryable,
            attempts=vendor.attempts,
            timeout=vendor.timeout_s,
            wait_initial=0.1,
            wait_max=1.0,
            wait_jitter=0.2,
        ):
            with attempt:
                admit()
                outcome = _attempt(client, vendor, path, parameters, deadline)
                # Raised outside the except block, so that no client error is chained to it.
                if isinstance(outcome, MarketDataError):
                    raise outcome
    return outcome


def _is_retryable(error: Exception) -> bool:
    return isinstance(error, ProviderUnavailable) and error.attempted and error.kind in RETRYABLE


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Create the TLS context once; loading certificates takes longer than a request."""
    return httpx.create_ssl_context()


def _attempt(client: httpx.Client, vendor: Vendor, path: str, parameters: Parameters, deadline: float) -> Any:
    """Return the parsed response, or the error to raise."""
    left = deadline - vendor.clock()
    if left < MIN_TIME_LEFT_S:
        return _too_slow(vendor)
    url = f"{vendor.base_url.rstrip('/')}/{path.lstrip('/')}"
    try:
        with (
            ConnectionDeadline(left) as connection_deadline,
            client.stream(
                "GET", url, params=dict(parameters), timeout=left, extensions={"trace": connection_deadline.trace}
            ) as response,
        ):
            body = _body(response, vendor, deadline)
    except httpx.TimeoutException:
        kind = FailureKind.SLOW
    except httpx.InvalidURL:
        kind = FailureKind.MALFORMED
    except (httpx.HTTPError, OSError):
        kind = FailureKind.SLOW if vendor.clock() > deadline else FailureKind.UNREACHABLE
    else:
        return body if isinstance(body, MarketDataError) else _parse(vendor, response, body)
    return _too_slow(vendor) if kind is FailureKind.SLOW else failure(vendor.name, kind)


def _body(response: httpx.Response, vendor: Vendor, deadline: float) -> bytes | MarketDataError:
    """Read the whole body, or return the error for one that is too large or too slow."""
    try:
        body = BoundedBody(response.headers.get("Content-Encoding", ""), vendor.max_body_bytes)
        for piece in response.iter_raw():
            body.feed(piece)
            if vendor.clock() > deadline:
                break
        return _too_slow(vendor) if vendor.clock() > deadline else body.content()
    except BodyRefused as error:
        return failure(vendor.name, FailureKind.MALFORMED, str(error))


def _too_slow(vendor: Vendor) -> MarketDataError:
    return failure(vendor.name, FailureKind.SLOW, f"timed out after {vendor.timeout_s:g} s")


def _parse(vendor: Vendor, response: httpx.Response, body: bytes) -> Any:
    try:
        value = json.loads(body, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        value, readable = None, False
    else:
        readable = True
    error = vendor.parse_error_body(value) if readable else None
    retry_after_s = parse_retry_after(response.headers)
    if error is not None:
        message = redact(error.message, vendor.secrets)
        reason = f"{MESSAGES[error.kind]} ({message})" if message else ""
        return failure(vendor.name, error.kind, reason, retry_after_s=retry_after_s)
    if response.status_code != 200:
        kind = failure_kind_of_status(response.status_code)
        return failure(
            vendor.name, kind, f"{MESSAGES[kind]} (status {response.status_code})", retry_after_s=retry_after_s
        )
    if not readable:
        return failure(vendor.name, FailureKind.MALFORMED, "response is not JSON")
    return value


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not valid JSON")
