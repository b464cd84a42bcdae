"""Backfills run in chunks, resume after interruptions, and never run a chunk twice at once."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from marketdata.models import Backfill, DailyBar, IngestionRun, Instrument
from marketdata.services.backfill import CHUNK_SIZE, CLAIM_TIMEOUT, request_backfill, run_chunk, stopped_backfills
from marketdata.tests.factories import LAST, NOW, FakeBarProvider, bars_between, rejecting_provider, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def wanted() -> Backfill:
    """Create a backfill of two chunks and a remainder."""
    return request_backfill(instruments=[stock() for _ in range(2 * CHUNK_SIZE + 3)], through=LAST, now=NOW)


def source() -> FakeBarProvider:
    return FakeBarProvider("first", bars_between()[:3])


def test_each_call_processes_one_chunk(wanted: Backfill) -> None:
    chunk_sizes = []
    for more in (True, True, False):
        first = source()
        assert run_chunk(backfill_pk=wanted.pk, now=NOW, providers=[first]) is more
        chunk_sizes.append(len(first.requested))
    assert chunk_sizes == [CHUNK_SIZE, CHUNK_SIZE, 3]
    wanted.refresh_from_db()
    assert (wanted.status, wanted.done, wanted.finished_at) == ("done", 2 * CHUNK_SIZE + 3, NOW)
    assert DailyBar.objects.count() == 3 * (2 * CHUNK_SIZE + 3)
    assert run_chunk(backfill_pk=wanted.pk, now=NOW, providers=[]) is False


def test_claimed_chunk_is_skipped(wanted: Backfill) -> None:
    Backfill.objects.update(claimed_at=NOW - CLAIM_TIMEOUT)
    first = source()
    assert run_chunk(backfill_pk=wanted.pk, now=NOW, providers=[first]) is False
    assert (first.requested, stopped_backfills(now=NOW)) == ([], [])


def test_expired_claim_is_taken_over(wanted: Backfill) -> None:
    run_chunk(backfill_pk=wanted.pk, now=NOW, providers=[source()])
    Backfill.objects.update(claimed_at=NOW)
    later = NOW + CLAIM_TIMEOUT + timedelta(seconds=1)
    assert stopped_backfills(now=later) == [wanted.pk]
    first = source()
    assert run_chunk(backfill_pk=wanted.pk, now=later, providers=[first]) is True
    second_piece = Instrument.objects.filter(pk__in=wanted.instrument_pks[CHUNK_SIZE : 2 * CHUNK_SIZE])
    assert sorted(first.requested) == sorted(second_piece.values_list("symbol", flat=True))
    wanted.refresh_from_db()
    assert (wanted.done, wanted.claimed_at) == (2 * CHUNK_SIZE, None)


def test_crash_leaves_chunk_for_next_worker(wanted: Backfill) -> None:
    first = FakeBarProvider("x" * 40, bars_between())
    with pytest.raises(Exception, match="too long"), transaction.atomic():
        run_chunk(backfill_pk=wanted.pk, now=NOW, providers=[first])
    wanted.refresh_from_db()
    assert (wanted.done, stopped_backfills(now=NOW)) == (0, [wanted.pk])


DYING = """
import os, signal, sys
import django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from marketdata.services.backfill import run_chunk
from marketdata.tests.factories import FakeBarProvider, NOW, bars_between

class Deadly(FakeBarProvider):
    def fetch_daily_bars(self, symbol, **session):
        if len(self.requested) == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fetch_daily_bars(symbol, **session)

source = Deadly("first", bars_between()[:3])
while run_chunk(backfill_pk=int(sys.argv[2]), now=NOW, providers=[source]):
    pass
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_worker_loses_nothing() -> None:
    wanted = request_backfill(instruments=[stock() for _ in range(2 * CHUNK_SIZE + 3)], through=LAST, now=NOW)
    arguments = [sys.executable, "-c", DYING, connection.settings_dict["NAME"], str(wanted.pk), str(CHUNK_SIZE + 4)]
    assert subprocess.run(arguments, cwd=settings.BASE_DIR, check=False).returncode == -signal.SIGKILL
    wanted.refresh_from_db()
    # The first chunk, and the instruments of the second before the fatal one.
    assert (wanted.done, wanted.claimed_at, DailyBar.objects.count()) == (CHUNK_SIZE, NOW, 3 * (CHUNK_SIZE + 4))
    assert run_chunk(backfill_pk=wanted.pk, now=NOW, providers=[source()]) is False
    later = NOW + CLAIM_TIMEOUT + timedelta(seconds=1)
    assert stopped_backfills(now=later) == [wanted.pk]
    again = source()
    assert run_chunk(backfill_pk=wanted.pk, now=later, providers=[again]) is True
    assert run_chunk(backfill_pk=wanted.pk, now=later, providers=[again]) is False
    assert len(again.requested) == CHUNK_SIZE + 3
    done = IngestionRun.objects.filter(started_at=later).order_by("instrument__symbol")
    assert sorted(run.bars_new for run in done) == [0] * 4 + [3] * (CHUNK_SIZE - 1)
    wanted.refresh_from_db()
    assert (wanted.status, wanted.done, DailyBar.objects.count()) == (
        "done",
        2 * CHUNK_SIZE + 3,
        3 * (2 * CHUNK_SIZE + 3),
    )


def test_failed_symbols_are_recorded() -> None:
    one, two = stock("ONE"), stock("TWO")
    wanted = request_backfill(instruments=[one, two, one], through=LAST, now=NOW)
    run_chunk(
        backfill_pk=wanted.pk,
        now=NOW,
        providers=[rejecting_provider("first", "ONE"), rejecting_provider("second", "ONE")],
    )
    wanted.refresh_from_db()
    assert (wanted.instrument_pks, wanted.done) == ([one.pk, two.pk], 2)
    assert wanted.failed_symbols == ["ONE", "TWO"]


def test_empty_backfill_is_done_at_once() -> None:
    assert request_backfill(instruments=[], through=LAST, now=NOW).status == "done"
    assert stopped_backfills(now=NOW) == []


def test_done_backfill_needs_finish_time(wanted: Backfill) -> None:
    with pytest.raises(IntegrityError, match="backfill_finished_when_done"), transaction.atomic():
        Backfill.objects.update(status="done")


def test_staff_start_backfill_and_see_progress(
    client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    client.force_login(get_user_model().objects.create_superuser(email="s@example.com", password="correct horse"))
    chosen = [stock().pk, stock().pk]
    with django_capture_on_commit_callbacks() as sent:
        client.post(
            reverse("admin:marketdata_instrument_changelist"),
            {"action": "start_backfill", "_selected_action": chosen},
        )
    assert (sorted(Backfill.objects.get().instrument_pks), len(sent)) == (chosen, 1)
    page = client.get(reverse("admin:marketdata_backfill_changelist"))
    assert "0 of 2" in page.content.decode()
