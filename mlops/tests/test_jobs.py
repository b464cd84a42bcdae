"""Background work is sent by name after the commit, and lost messages are sent again."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from mlops.forecasting.types import Panel
from mlops.jobs import RETRAIN, TRAIN_VERSION, announce_promotion, enqueue
from mlops.models import TrainingRun
from mlops.selectors import waiting_runs
from mlops.tasks import retrain, sweep_training, train_version_task
from mlops.tests.broker import Sent
from mlops.tests.factories import stored_bars, training_run

pytestmark = pytest.mark.django_db


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


def test_a_change_of_the_champion_enqueues_its_jobs(
    sent: Sent, settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.HINDCAST_AFTER_PROMOTION = ("predictions.announce", "alerts.evaluate")
    with django_capture_on_commit_callbacks(execute=True):
        announce_promotion()
        assert sent.messages() == []
    assert sent.messages() == [("predictions.announce", []), ("alerts.evaluate", [])]


@pytest.mark.usefixtures("artifact_root", "fresh_memory", "champion_key")
def test_a_training_announces_its_version_only_when_that_serves(
    sent: Sent, market: Panel, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    stored_bars(market)
    with django_capture_on_commit_callbacks(execute=True):
        train_version_task(training_run().pk)
    assert sent.messages() == [("predictions.announce", []), ("predictions.first_hindcasts", [])]
    with django_capture_on_commit_callbacks(execute=True):
        train_version_task(training_run().pk)  # the same bars and seed again: an identical copy does not serve
    assert sent.messages() == []
    with django_capture_on_commit_callbacks(execute=True):
        train_version_task(training_run(status="done").pk)
    assert sent.messages() == []
