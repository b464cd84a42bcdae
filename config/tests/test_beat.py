"""The schedule in the database, and the queues on each broker."""

import os
import socket
import threading
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.core.management import call_command
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from config import celery as project
from config.beat import SCHEDULE, install_schedule

AMQP_URL = os.environ.get("HINDCAST_TEST_AMQP_URL", "")
LOCAL_AMQP_URL = "amqp://guest:guest@127.0.0.1:5672//"


def brokers() -> list[str]:
    """Return Redis, and RabbitMQ if configured or running on this machine."""
    if AMQP_URL:
        return ["redis", AMQP_URL]
    address = urlsplit(LOCAL_AMQP_URL)
    try:
        socket.create_connection((address.hostname, address.port), 0.5).close()
    except OSError:
        return ["redis"]
    return ["redis", LOCAL_AMQP_URL]


@pytest.mark.django_db
def test_the_schedule_is_stored_once() -> None:
    assert install_schedule() == [entry.name for entry in SCHEDULE]
    assert install_schedule() == []
    assert PeriodicTask.objects.filter(name__in=[entry.name for entry in SCHEDULE]).count() == len(SCHEDULE)


@pytest.mark.django_db
def test_changes_of_staff_survive_installation() -> None:
    install_schedule()
    later = CrontabSchedule.objects.create(minute="0", hour="20", timezone="America/New_York")
    PeriodicTask.objects.filter(name="after_close").update(enabled=False, crontab=later)
    install_schedule()
    task = PeriodicTask.objects.get(name="after_close")
    assert (task.enabled, task.crontab) == (False, later)


@pytest.mark.django_db
def test_the_command_reports_each_entry(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("install_schedule")
    assert "after_close: installed" in capsys.readouterr().out
    call_command("install_schedule")
    assert "after_close: already there" in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("last_run", "due_at"),
    [
        # Thursday in winter: 16:30 in New York is 21:30 UTC.
        (datetime(2024, 1, 11, 12, tzinfo=UTC), datetime(2024, 1, 11, 21, 30, tzinfo=UTC)),
        # Thursday in summer: 16:30 in New York is 20:30 UTC.
        (datetime(2024, 7, 11, 12, tzinfo=UTC), datetime(2024, 7, 11, 20, 30, tzinfo=UTC)),
        # After Friday's run comes Monday's.
        (datetime(2024, 7, 12, 22, tzinfo=UTC), datetime(2024, 7, 15, 20, 30, tzinfo=UTC)),
    ],
)
def test_after_close_is_due_after_the_close_in_new_york(last_run: datetime, due_at: datetime) -> None:
    install_schedule()
    schedule = PeriodicTask.objects.get(name="after_close").schedule
    schedule.nowfun = lambda: last_run.astimezone(schedule.tz)
    assert last_run + schedule.remaining_estimate(last_run) == pytest.approx(due_at, abs=timedelta(seconds=1))


def test_every_scheduled_task_exists() -> None:
    project.app.loader.import_default_modules()
    assert {entry.task for entry in SCHEDULE} <= set(project.app.tasks)


@pytest.mark.parametrize("task", ["mlops.train_version", "mlops.retrain"])
def test_training_has_its_own_queue(task: str) -> None:
    assert project.app.amqp.router.route({}, task)["queue"].name == "training"
    assert project.app.amqp.router.route({}, "config.after_close")["queue"].name == "work"


@pytest.mark.parametrize("broker", brokers(), ids=lambda url: urlsplit(url).scheme or url)
def test_a_task_is_delivered_once(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = settings.HINDCAST_SITE.redis_url if broker == "redis" else broker
    mark = uuid.uuid4().hex
    monkeypatch.setattr(project, "WORK", f"test-work-{mark}")
    monkeypatch.setattr(project, "TRAINING", f"test-training-{mark}")
    celery = Celery(f"test-{mark}", broker=url, set_as_current=False)
    project.configure(celery, url)
    received: list[int] = []
    arrived = threading.Event()

    @celery.task(name=f"test.{mark}")
    def note(number: int) -> None:
        received.append(number)
        if number == 8:
            arrived.set()

    try:
        with start_worker(celery, pool="solo", perform_ping_check=False):
            celery.send_task(note.name, args=[7])
            celery.send_task(note.name, args=[8])
            assert arrived.wait(120)
        # One worker takes the messages in order: a second delivery of 7 would come before 8.
        assert received == [7, 8]
    finally:
        with celery.connection_for_write() as connection:
            for queue in celery.conf.task_queues:
                queue(connection.default_channel).delete()
        celery.close()


@pytest.mark.parametrize(("url", "kind"), [("amqp://h//", "quorum"), ("redis://h/0", None)])
def test_rabbitmq_gets_quorum_queues(url: str, kind: str | None) -> None:
    celery = Celery("test-queues", broker=url, set_as_current=False)
    project.configure(celery, url)
    kinds = [(queue.queue_arguments or {}).get("x-queue-type") for queue in celery.conf.task_queues]
    assert kinds == [kind, kind]
