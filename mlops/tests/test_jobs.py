"""Background work is sent by name after the commit, and lost messages are sent again."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from queue import Empty
from typing import Any

import pytest
from celery import Celery, current_app
from django.conf import settings
from django.utils import timezone
from kombu import Connection
from pytest_django import DjangoCaptureOnCommitCallbacks

from mlops.jobs import RETRAIN, TRAIN_VERSION, enqueue
from mlops.models import TrainingRun
from mlops.selectors import waiting_runs
from mlops.tasks import retrain, sweep_training
from mlops.tests.factories import training_run

pytestmark = pytest.mark.django_db


class Sent:
    """Reads what was put into one queue of the broker."""

    def __init__(self, queue: str) -> None:
        self.queue = queue

    def messages(self) -> list[tuple[str, list[Any]]]:
        """Task name and arguments of each waiting message, in order."""
        taken = []
        with Connection(settings.CELERY_BROKER_URL) as connection:
            queue = connection.SimpleQueue(self.queue)
            with suppress(Empty):
                while message := queue.get(block=False):
                    message.ack()
                    taken.append((message.headers["task"], message.payload[0]))
            queue.close()
        return taken


@contextmanager
def celery_application(broker: str, queue: str) -> Iterator[None]:
    """An application of this test's own is the current one."""
    usual = current_app._get_current_object()
    own = Celery(queue, broker=broker, set_as_current=True)
    own.conf.update(task_default_queue=queue, task_publish_retry=False)
    yield
    own.close()
    usual.set_current()


@pytest.fixture
def sent() -> Iterator[Sent]:
    """Every task goes to a queue of this test's own."""
    queue = Sent(f"test-{uuid.uuid4().hex}")
    with celery_application(settings.CELERY_BROKER_URL, queue.queue):
        yield queue
        queue.messages()


@pytest.fixture
def broken_broker() -> Iterator[None]:
    """The broker cannot be reached."""
    with celery_application("redis://127.0.0.1:1/0", "away"):
        yield


def test_a_message_leaves_after_the_commit(
    sent: Sent, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        enqueue(TRAIN_VERSION, 12)
        assert sent.messages() == []
    assert sent.messages() == [("mlops.train_version", [12])]


def test_an_unreachable_broker_loses_no_request(
    broken_broker: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    run = training_run()
    with django_capture_on_commit_callbacks(execute=True):
        enqueue(TRAIN_VERSION, run.pk)
    assert list(waiting_runs()) == [run]


def test_the_weekly_retrain_is_a_queued_row_and_a_message_to_the_trainer(
    sent: Sent, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        retrain()
    run = TrainingRun.objects.get()
    assert (run.status, run.reason, run.seed) == ("queued", "weekly retrain", settings.HINDCAST_MODELS.seed)
    assert sent.messages() == [(TRAIN_VERSION, [run.pk])]
    assert retrain.name == RETRAIN


def test_the_sweep_sends_waiting_runs_again_and_fails_silent_ones(
    sent: Sent, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    waiting = training_run()
    silent = training_run(status="running", heartbeat_at=timezone.now() - timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        sweep_training()
    silent.refresh_from_db()
    assert silent.status == "failed"
    assert sent.messages() == [(TRAIN_VERSION, [waiting.pk])]
