"""Keeps the limits of callers without credentials true in a server: its row is read again when it has changed."""

import os
import time
from threading import Event, Lock, Thread

import structlog
from django.db import DatabaseError, close_old_connections

from accounts.anonymous import ANONYMOUS
from accounts.callers import hears_changes, watch_changes
from accounts.conf import ANONYMOUS_PLAN
from accounts.key_table import ENTRY_LIFE_S
from accounts.models import Plan

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
FIRST_LOOK_S = 2.0


class PlanWatch:
    """A thread that reads the row: at once when a plan has changed, every second while no change can be heard of."""

    def __init__(self) -> None:
        self._changed = Event()
        self._looked = Event()
        self._starting = Lock()
        self._owner = 0

    def start(self) -> None:
        """Begin in this process, and wait a moment for the first look; starting again does nothing."""
        with self._starting:
            if self._owner == os.getpid():
                return
            self._owner = os.getpid()
            watch_changes(self._hear)
            Thread(target=self._run, name="anonymous-plan", daemon=True).start()
        self._looked.wait(FIRST_LOOK_S)

    def _hear(self, user_id: int | None) -> None:
        if user_id is None:
            self._changed.set()

    def _run(self) -> None:
        looked_at = float("-inf")
        while True:
            is_old = time.monotonic() - looked_at > ENTRY_LIFE_S
            if self._changed.is_set() or is_old or not hears_changes():
                self._changed.clear()
                looked_at = time.monotonic()
                self._look()
            self._changed.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        close_old_connections()
        try:
            row = Plan.objects.filter(pk=ANONYMOUS_PLAN).values_list("per_minute", "per_day").first()
            if row is not None:
                ANONYMOUS.hold(row)
        except DatabaseError as error:
            # What was read last goes on to hold; no outage opens the gates.
            log.warning("anonymous_plan_unread", reason=type(error).__name__)
        finally:
            close_old_connections()
            self._looked.set()


PLAN_WATCH = PlanWatch()
