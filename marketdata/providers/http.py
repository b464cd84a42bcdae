"""The one way in which sources with a plain HTTP interface are asked: bounded in time, size and tries, and discreet.

A call ends by its deadline whatever the other side does, never leaves the configured address, and fails only in our
own words, in which no key appears, even when the vendor's own words hold it.
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
from marketdata.providers.deadline import ConnectionDeadline

ATTEMPTS = 3
LARGEST_BODY = 32 * 2**20
LONGEST_WORDS = 200
LONGEST_PAUSE_S = 24 * 3600.0
LEAST_TIME_S = 0.05
HIDDEN = "[key]"
JSON = "application/json"

Parameters = Mapping[str, str | int]
Admit = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a body says is the matter; `words` are the vendor's, if any are worth telling."""

    kind: FailureKind
    words: str = ""


def nothing_wrong(_body: Any) -> Complaint | None:
    """For vendors that never complain with status 200."""
    return None


@dataclass(frozen=True, slots=True)
class Vendor:
    """A source on the web. `parse_complaint` reads its error bodies, whatever status they come with."""

    name: str
    base_url: str
    timeout_s: float
    secrets: tuple[str, ...] = field(default=(), repr=False)
    parse_complaint: Callable[[Any], Complaint | None] = nothing_wrong
    attempts: int = ATTEMPTS
    largest_body: int = LARGEST_BODY


REJECTED = frozenset({FailureKind.UNKNOWN_SYMBOL, FailureKind.BAD_KEY})
MENDABLE = frozenset({FailureKind.UNREACHABLE})
WORDS = {
    FailureKind.UNKNOWN_SYMBOL: "there is no such symbol",
    FailureKind.RATE_LIMITED: "asks for fewer calls",
    FailureKind.QUOTA_SPENT: "its quota is spent",
    FailureKind.BAD_KEY: "does not accept the key",
    FailureKind.EMPTY: "answered with nothing",
    FailureKind.MALFORMED: "answered with something that cannot be read",
    FailureKind.PARTIAL: "answered with a part only",
    FailureKind.UNREACHABLE: "cannot be reached",
    FailureKind.SLOW: "takes too long to answer",
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
    """The error for one kind of failure, in the usual words unless others are given."""
    said = reason or WORDS[kind]
    if kind in REJECTED:
        return ProviderRejected(provider, said, kind)
    return ProviderUnavailable(provider, said, kind, retry_after_s=retry_after_s)


def failure_kind_of_status(status: int) -> FailureKind:
    """What a refusing status means when the body does not say more."""
    if status in STATUS_KINDS:
        return STATUS_KINDS[status]
    return FailureKind.UNREACHABLE if status >= 500 else FailureKind.MALFORMED


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """One short line of `text` in which no secret stands, in whatever case or encoding the vendor repeats it."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret)} - {""}:
            text = re.sub(re.escape(form), HIDDEN, text, flags=re.IGNORECASE)
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()[:LONGEST_WORDS]


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a refusal asks to wait; a date or nonsense counts as nothing said."""
    said = headers.get("Retry-After", "")
    return min(float(said), LONGEST_PAUSE_S) if said.isascii() and said.isdigit() else None


def get_json(
    vendor: Vendor,
    path: str,
    parameters: Parameters,
    *,
    headers: Mapping[str, str] | None = None,
    admit: Admit = lambda: None,
) -> Any:
    """What the vendor answers to GET `path` below its base address, read as JSON.

    `admit` is called before every try and may raise to hold it back, so that repeated tries count as well. A try is
    repeated, after a short and uneven pause, only when it could not reach the vendor, and only
    while there is time. Raises ProviderUnavailable or ProviderRejected.
    """
    # Parameters and headers stay out of anything that is raised: the key is among them.
    with httpx.Client(verify=_tls(), follow_redirects=False, headers={"Accept": JSON, **(headers or {})}) as client:
        ends = time.monotonic() + vendor.timeout_s
        for attempt in stamina.retry_context(
            on=_mendable,
            attempts=vendor.attempts,
            timeout=vendor.timeout_s,
            wait_initial=0.1,
            wait_max=1.0,
            wait_jitter=0.2,
        ):
            with attempt:
                admit()
                outcome = _one_try(client, vendor, path, parameters, ends)
                # Raised here and not where it was met, so that no error of the client hangs on to it.
                if isinstance(outcome, MarketDataError):
                    raise outcome
    return outcome


def _mendable(error: Exception) -> bool:
    return isinstance(error, ProviderUnavailable) and error.attempted and error.kind in MENDABLE


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Made once, because reading the certificates takes longer than a call."""
    return httpx.create_ssl_context()


def _one_try(client: httpx.Client, vendor: Vendor, path: str, parameters: Parameters, ends: float) -> Any:
    """The answer, or the error that stands for it."""
    left = ends - time.monotonic()
    if left < LEAST_TIME_S:
        return _too_slow(vendor)
    address = f"{vendor.base_url.rstrip('/')}/{path.lstrip('/')}"
    try:
        with (
            ConnectionDeadline(left) as cutoff,
            client.stream(
                "GET", address, params=dict(parameters), timeout=left, extensions={"trace": cutoff.trace}
            ) as response,
        ):
            body = _body(response, vendor, ends)
    except httpx.TimeoutException:
        kind = FailureKind.SLOW
    except (httpx.DecodingError, httpx.InvalidURL):
        kind = FailureKind.MALFORMED
    except (httpx.HTTPError, OSError):
        kind = FailureKind.SLOW if time.monotonic() > ends else FailureKind.UNREACHABLE
    else:
        return body if isinstance(body, MarketDataError) else _read(vendor, response, body)
    return _too_slow(vendor) if kind is FailureKind.SLOW else failure(vendor.name, kind)


def _body(response: httpx.Response, vendor: Vendor, ends: float) -> bytes | MarketDataError:
    """The whole body, or the error for one that is too long or that drips in too slowly."""
    held = bytearray()
    for piece in response.iter_bytes():
        held += piece
        if len(held) > vendor.largest_body:
            return failure(vendor.name, FailureKind.MALFORMED, f"answered with more than {vendor.largest_body:,} bytes")
        if time.monotonic() > ends:
            break
    return _too_slow(vendor) if time.monotonic() > ends else bytes(held)


def _too_slow(vendor: Vendor) -> MarketDataError:
    return failure(vendor.name, FailureKind.SLOW, f"no answer within {vendor.timeout_s:g} s")


def _read(vendor: Vendor, response: httpx.Response, body: bytes) -> Any:
    try:
        value = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        value, readable = None, False
    else:
        readable = True
    complaint = vendor.parse_complaint(value) if readable else None
    retry_after_s = parse_retry_after(response.headers)
    if complaint is not None:
        words = redacted(complaint.words, vendor.secrets)
        reason = f"{WORDS[complaint.kind]} ({words})" if words else ""
        return failure(vendor.name, complaint.kind, reason, retry_after_s=retry_after_s)
    if response.status_code != 200:
        kind = failure_kind_of_status(response.status_code)
        return failure(vendor.name, kind, f"{WORDS[kind]} (status {response.status_code})", retry_after_s=retry_after_s)
    if not readable:
        return failure(vendor.name, FailureKind.MALFORMED, "answered with something that is not JSON")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
