"""`Idempotency-Key`: a repeated call with the same key returns the stored response and changes nothing."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from accounts.errors import IdempotencyKeyInUse, IdempotencyKeyMalformed, IdempotencyKeyReused
from accounts.models import IdempotentCall

HEADER = "HTTP_IDEMPOTENCY_KEY"
REPLAYED = "Idempotency-Replayed"
STORED_HEADERS = ("Content-Type", "Location", "Retry-After", "Cache-Control")
LIFETIME = timedelta(hours=24)
# A call without a response after this long was lost with its process and may be taken over.
MAX_CALL_DURATION = timedelta(minutes=1)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def respond_once(
    request: HttpRequest, body: bytes, respond: Callable[[], HttpResponse], *, caller: str, now: datetime
) -> HttpResponse:
    """Run `respond` once per idempotency key and return its stored response; without a key, just run it.

    The changes of the call and its response are committed together; an error frees the key. Raises
    IdempotencyKeyMalformed, IdempotencyKeyReused if the key belongs to another call, IdempotencyKeyInUse while the
    first call is running.
    """
    key = request.META.get(HEADER)
    if key is None:
        return respond()
    if not _is_key(key):
        raise IdempotencyKeyMalformed
    fingerprint = hashlib.sha256(b"\n".join([f"{request.method} {request.path}".encode(), body])).hexdigest()
    call, is_new = IdempotentCall.objects.get_or_create(
        caller=caller, key=key, defaults={"fingerprint": fingerprint, "begun_at": now}
    )
    if call.fingerprint != fingerprint:
        raise IdempotencyKeyReused(key)
    if not is_new and call.status is not None:
        return _stored_response(call)
    if not is_new and not _take_over(call, now):
        raise IdempotencyKeyInUse(key)
    try:
        with transaction.atomic():
            response = respond()
            _store(call, response, begun_at=now)
    except BaseException:
        IdempotentCall.objects.filter(pk=call.pk, begun_at=now, status__isnull=True).delete()
        raise
    return response


def has_started(request: HttpRequest, *, caller: str, now: datetime) -> bool:
    """Return whether a call with this key has a response or is running, so that this one will do nothing new."""
    key = request.META.get(HEADER)
    if key is None or not _is_key(key):
        return False
    active = Q(status__isnull=False) | Q(begun_at__gte=now - MAX_CALL_DURATION)
    return IdempotentCall.objects.filter(active, caller=caller, key=key).exists()


def delete_expired_keys(*, now: datetime) -> int:
    """Delete keys older than a day; returns their number."""
    return IdempotentCall.objects.filter(begun_at__lt=now - LIFETIME).delete()[0]


def _is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def _take_over(call: IdempotentCall, now: datetime) -> bool:
    lost = IdempotentCall.objects.filter(pk=call.pk, status__isnull=True, begun_at__lt=now - MAX_CALL_DURATION)
    return bool(lost.update(begun_at=now))


def _store(call: IdempotentCall, response: HttpResponse, *, begun_at: datetime) -> None:
    headers = {name: response[name] for name in STORED_HEADERS if response.has_header(name)}
    own = IdempotentCall.objects.filter(pk=call.pk, begun_at=begun_at, status__isnull=True)
    if not own.update(status=response.status_code, headers=headers, body=response.content):
        raise IdempotencyKeyInUse(call.key)


def _stored_response(call: IdempotentCall) -> HttpResponse:
    return HttpResponse(bytes(call.body or b""), status=call.status, headers={**call.headers, REPLAYED: "true"})
