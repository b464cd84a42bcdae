"""Keeps the limits of anonymous callers up to date in a server, by reading their plan again after each change."""

import os
import time
from threading import Event, Lock, Thread

import structlog
from django.db import DatabaseError, close_old_connections

from accounts.anonymous_limits import ANONYMOUS_LIMITS
from accounts.conf import ANONYMOUS_PLAN
from accounts.credential_cache import ENTRY_LIFE_S
from accounts.models import Plan
from accounts.principals import credential_cache

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0
FIRST_READ_S = 2.0


class PlanWatch:
    """A thread that reads the row: at once after an invalidation, every second while none can be received."""

    def __init__(self) -> None:
        self._changed = Event()
        self._was_read = Event()
        self._starting = Lock()
        self._process_id = 0

    def start(self) -> None:
        """Begin in this process and wait a moment for the first read; starting again does nothing."""
        with self._starting:
            if self._process_id == os.getpid():
                return
            self._process_id = os.getpid()
            credential_cache().watch(self._on_invalidation)
            Thread(target=self._run, name="anonymous-plan", daemon=True).start()
        self._was_read.wait(FIRST_READ_S)

    def _on_invalidation(self, user_id: int | None) -> None:
        if user_id is None:
            self._changed.set()

    def _run(self) -> None:
        read_at = float("-inf")
        while True:
            is_old = time.monotonic() - read_at > ENTRY_LIFE_S
            if self._changed.is_set() or is_old or not credential_cache().listener.is_alive():
                self._changed.clear()
                read_at = time.monotonic()
                self._read()
            self._changed.wait(CHECK_EVERY_S)

    def _read(self) -> None:
        close_old_connections()
        try:
            row = Plan.objects.filter(pk=ANONYMOUS_PLAN).values_list("per_minute", "per_day").first()
            if row is not None:
                ANONYMOUS_LIMITS.update(row)
        except DatabaseError as error:
            # The limits read last stay in force, so an outage does not lift them.
            log.warning("anonymous_plan_unread", reason=type(error).__name__)
        finally:
            close_old_connections()
            self._was_read.set()


PLAN_WATCH = PlanWatch()
