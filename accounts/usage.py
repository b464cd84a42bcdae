"""API usage: counted in the process and stored once a second, so that no request waits for it."""

import atexit
import os
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock, Thread

import structlog
from django.conf import settings
from django.db import DatabaseError, DataError, connection

from accounts.models import ApiKey, RequestLog
from accounts.principals import Principal
from accounts.wall_clock import utc_now

log = structlog.get_logger(__name__)

FLUSH_EVERY_S = 1.0
# Rows buffered while the database is down; the oldest are dropped first.
MAX_BUFFERED_ROWS = 10_000
FIRST_ERROR_STATUS = 400
MAX_PATH_CHARACTERS = 200
MAX_ENDPOINT_CHARACTERS = 100

# Joined with existing users and keys, so that a deleted account or key loses only its own counts.
_ADD_SQL = """
INSERT INTO accounts_usageday (user_id, key_id, day, endpoint, calls, errors)
SELECT counted.user_id, counted.key_id, counted.day, counted.endpoint, counted.calls, counted.errors
FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::text[], %s::bigint[], %s::bigint[])
  AS counted(user_id, key_id, day, endpoint, calls, errors)
JOIN accounts_user AS person ON person.id = counted.user_id
LEFT JOIN accounts_apikey AS key ON key.id = counted.key_id
WHERE counted.key_id IS NULL OR key.id IS NOT NULL
ON CONFLICT (user_id, day, endpoint, key_id)
DO UPDATE SET calls = accounts_usageday.calls + excluded.calls, errors = accounts_usageday.errors + excluded.errors
"""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One completed call; `endpoint` is the route with placeholders instead of values."""

    method: str
    endpoint: str
    path: str
    status: int
    duration_s: float
    network: str
    request_id: str


# User, key, day and endpoint.
_CountKey = tuple[int, int | None, date, str]


class Usage:
    """The counts of this process; `count` does no I/O, so event loops may call it."""

    def __init__(self) -> None:
        self._calls: Counter[_CountKey] = Counter()
        self._errors: Counter[_CountKey] = Counter()
        self._rows: deque[RequestLog] = deque(maxlen=MAX_BUFFERED_ROWS)
        self._lock = Lock()
        self._process_id = 0

    def count(self, principal: Principal, endpoint: str, status: int, times: int = 1) -> None:
        """Count calls of a user; anonymous calls are only logged."""
        if principal.user_id is None:
            return
        key = (principal.user_id, principal.key_id, utc_now().date(), endpoint[:MAX_ENDPOINT_CHARACTERS])
        with self._lock:
            self._calls[key] += times
            if status >= FIRST_ERROR_STATUS:
                self._errors[key] += times
        self._start()

    def log_request(self, principal: Principal | None, call: ApiCall) -> None:
        """Buffer a row of the request log."""
        self._rows.append(
            RequestLog(
                at=utc_now(),
                user_id=None if principal is None else principal.user_id,
                key_id=None if principal is None else principal.key_id,
                method=call.method[:8],
                endpoint=call.endpoint[:MAX_ENDPOINT_CHARACTERS],
                path=storable_text(call.path)[:MAX_PATH_CHARACTERS],
                status=call.status,
                duration_ms=round(call.duration_s * 1000, 2),
                network=call.network,
                request_id=call.request_id,
            )
        )
        self._start()

    def flush(self) -> None:
        """Store counts and rows; after a database error they are retried with the next flush."""
        with self._lock:
            calls, self._calls = self._calls, Counter()
            errors, self._errors = self._errors, Counter()
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        try:
            _store_counts(calls, errors, now=utc_now())
            calls, errors = Counter(), Counter()
            RequestLog.objects.bulk_create(rows)
        except DataError:
            # A retry would fail again and block all later rows.
            log.exception("request_log_rows_rejected", rows=len(rows))
        except DatabaseError as error:
            log.warning("usage_flush_failed", reason=type(error).__name__, calls=sum(calls.values()), rows=len(rows))
            with self._lock:
                self._calls.update(calls)
                self._errors.update(errors)
            self._rows.extendleft(reversed(rows[: MAX_BUFFERED_ROWS - len(self._rows)]))

    def _start(self) -> None:
        """Start the flushing thread of this process, also after a fork; the last flush is at exit."""
        if self._process_id == os.getpid() or not settings.HINDCAST_FLUSH_USAGE:
            return
        self._process_id = os.getpid()
        atexit.register(self._flush_and_close)
        Thread(target=self._flush_loop, name="usage", daemon=True).start()

    def _flush_loop(self) -> None:
        while True:
            time.sleep(FLUSH_EVERY_S)
            if self._calls or self._rows:
                self._flush_and_close()

    def _flush_and_close(self) -> None:
        try:
            self.flush()
        finally:
            connection.close()


USAGE = Usage()


def storable_text(path: str) -> str:
    """Return the path with replacements for what PostgreSQL text cannot store: NUL and lone surrogates."""
    return path.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _store_counts(calls: Counter[_CountKey], errors: Counter[_CountKey], *, now: datetime) -> None:
    """Add the counts in one statement, ordered to avoid deadlocks, and set `last_used_at` of the keys."""
    if not calls:
        return
    keys = sorted(calls, key=lambda key: (key[0], key[1] or 0, key[2], key[3]))
    columns = [list(column) for column in zip(*keys, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_ADD_SQL, [*columns, [calls[key] for key in keys], [errors[key] for key in keys]])
    ApiKey.objects.filter(pk__in={api_key for _, api_key, _, _ in keys if api_key is not None}).update(last_used_at=now)
