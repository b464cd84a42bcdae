"""`Idempotency-Key`: a call that is sent again under the same key gets the first one's answer, and happens once."""

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
KEPT_HEADERS = ("Content-Type", "Location", "Retry-After", "Cache-Control")
LIFE = timedelta(hours=24)
# A call that began so long ago without an answer is dead with its process, and may be made anew.
LONGEST_CALL = timedelta(minutes=1)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def respond_once(
    request: HttpRequest, body: bytes, answer: Callable[[], HttpResponse], *, caller: str, now: datetime
) -> HttpResponse:
    """The answer to this call, from the first time it was sent with its key; without a key, just the answer.

    What the call changes and its answer are stored together or not at all; an error leaves the key free. Raises
    IdempotencyKeyMalformed, IdempotencyKeyReused for another call under the same key, IdempotencyKeyInUse while the
    first one is still being answered.
    """
    key = request.META.get(HEADER)
    if key is None:
        return answer()
    if not _is_key(key):
        raise IdempotencyKeyMalformed
    fingerprint = hashlib.sha256(b"\n".join([f"{request.method} {request.path}".encode(), body])).hexdigest()
    call, begun = IdempotentCall.objects.get_or_create(
        caller=caller, key=key, defaults={"fingerprint": fingerprint, "begun_at": now}
    )
    if call.fingerprint != fingerprint:
        raise IdempotencyKeyReused(key)
    if not begun and call.status is not None:
        return _told_again(call)
    if not begun and not _taken_over(call, now):
        raise IdempotencyKeyInUse(key)
    try:
        with transaction.atomic():
            response = answer()
            _keep(call, response, begun_at=now)
    except BaseException:
        IdempotentCall.objects.filter(pk=call.pk, begun_at=now, status__isnull=True).delete()
        raise
    return response


def has_started(request: HttpRequest, *, caller: str, now: datetime) -> bool:
    """Whether a call under this key is answered or being answered, so that this one will do nothing new."""
    key = request.META.get(HEADER)
    if key is None or not _is_key(key):
        return False
    alive = Q(status__isnull=False) | Q(begun_at__gte=now - LONGEST_CALL)
    return IdempotentCall.objects.filter(alive, caller=caller, key=key).exists()


def forget_old_calls(*, now: datetime) -> int:
    """Delete the keys that are a day old; returns how many."""
    return IdempotentCall.objects.filter(begun_at__lt=now - LIFE).delete()[0]


def _is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def _taken_over(call: IdempotentCall, now: datetime) -> bool:
    dead = IdempotentCall.objects.filter(pk=call.pk, status__isnull=True, begun_at__lt=now - LONGEST_CALL)
    return bool(dead.update(begun_at=now))


def _keep(call: IdempotentCall, response: HttpResponse, *, begun_at: datetime) -> None:
    headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    mine = IdempotentCall.objects.filter(pk=call.pk, begun_at=begun_at, status__isnull=True)
    if not mine.update(status=response.status_code, headers=headers, body=response.content):
        raise IdempotencyKeyInUse(call.key)


def _told_again(call: IdempotentCall) -> HttpResponse:
    return HttpResponse(bytes(call.body or b""), status=call.status, headers={**call.headers, REPLAYED: "true"})
