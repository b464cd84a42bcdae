"""Calls of the API, counted in the process and stored once a second, so that no principal waits for it."""

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
# Rows that wait while the database is away; older ones are dropped first.
MOST_WAITING = 10_000
FIRST_ERROR = 400
LONGEST_PATH = 200
LONGEST_ENDPOINT = 100

# Joined with who is still there, so that a deleted account or key costs its own counts only.
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
    """One answered call; `endpoint` is the route, without what stands in its place holders."""

    method: str
    endpoint: str
    path: str
    status: int
    duration_s: float
    network: str
    request_id: str


# Who, by which key, on which day, what.
_Kind = tuple[int, int | None, date, str]


class Usage:
    """The counts of this process. `count` is a few dictionary operations and may be called from an event loop."""

    def __init__(self) -> None:
        self._calls: Counter[_Kind] = Counter()
        self._errors: Counter[_Kind] = Counter()
        self._rows: deque[RequestLog] = deque(maxlen=MOST_WAITING)
        self._lock = Lock()
        self._owner = 0

    def count(self, principal: Principal, endpoint: str, status: int, times: int = 1) -> None:
        """Count calls of somebody we know; those of nobody we know are only written down."""
        if principal.user_id is None:
            return
        kind = (principal.user_id, principal.key_id, utc_now().date(), endpoint[:LONGEST_ENDPOINT])
        with self._lock:
            self._calls[kind] += times
            if status >= FIRST_ERROR:
                self._errors[kind] += times
        self._start()

    def log_request(self, principal: Principal | None, call: ApiCall) -> None:
        """Keep a row about the call."""
        self._rows.append(
            RequestLog(
                at=utc_now(),
                user_id=None if principal is None else principal.user_id,
                key_id=None if principal is None else principal.key_id,
                method=call.method[:8],
                endpoint=call.endpoint[:LONGEST_ENDPOINT],
                path=readable(call.path)[:LONGEST_PATH],
                status=call.status,
                duration_ms=round(call.duration_s * 1000, 2),
                network=call.network,
                request_id=call.request_id,
            )
        )
        self._start()

    def flush(self) -> None:
        """Store what was counted; what the database does not take now is tried again with the next."""
        with self._lock:
            calls, self._calls = self._calls, Counter()
            errors, self._errors = self._errors, Counter()
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        try:
            _store_counts(calls, errors, now=utc_now())
            calls, errors = Counter(), Counter()
            RequestLog.objects.bulk_create(rows)
        except DataError:
            # Tried again they would be refused again, and hold up all that come after them.
            log.exception("requests_not_written_down", rows=len(rows))
        except DatabaseError as error:
            log.warning("usage_not_stored", reason=type(error).__name__, calls=sum(calls.values()), rows=len(rows))
            with self._lock:
                self._calls.update(calls)
                self._errors.update(errors)
            self._rows.extendleft(reversed(rows[: MOST_WAITING - len(self._rows)]))

    def _start(self) -> None:
        """Flush from a thread of this process, also after a fork, and once more when the process ends."""
        if self._owner == os.getpid() or not settings.HINDCAST_FLUSH_USAGE:
            return
        self._owner = os.getpid()
        atexit.register(self._flush_and_close)
        Thread(target=self._flush_for_ever, name="usage", daemon=True).start()

    def _flush_for_ever(self) -> None:
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


def readable(path: str) -> str:
    """The path with other characters for what PostgreSQL holds in no text: NUL, and halves of surrogate pairs."""
    return path.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _store_counts(calls: Counter[_Kind], errors: Counter[_Kind], *, now: datetime) -> None:
    """Add the counts in one statement, in one order for all processes, and note when keys were used."""
    if not calls:
        return
    kinds = sorted(calls, key=lambda kind: (kind[0], kind[1] or 0, kind[2], kind[3]))
    columns = [list(column) for column in zip(*kinds, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_ADD_SQL, [*columns, [calls[kind] for kind in kinds], [errors[kind] for kind in kinds]])
    ApiKey.objects.filter(pk__in={key for _, key, _, _ in kinds if key is not None}).update(last_used_at=now)
