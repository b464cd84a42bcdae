"""`manage.py bootstrap`: what a new deployment gets, once."""

import re
from dataclasses import replace

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from marketdata.models import DailyBar, Instrument
from mlops.models import ModelVersion, TrainingRun
from mlops.services.training_runs import claim_run
from mlops.tests.factories import model_version
from predictions.tests.scene import NOW

pytestmark = pytest.mark.django_db
GOOD_PASSWORD = "sparrow-ladder-42"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Collect the tasks that the command enqueues."""
    tasks: list[tuple[str, int]] = []
    monkeypatch.setattr("config.management.commands.bootstrap.enqueue", lambda *task: tasks.append(task))
    return tasks


def test_a_new_deployment_gets_user_prices_and_training_once(
    sent: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("bootstrap")
    before = (User.objects.count(), Instrument.objects.count(), DailyBar.objects.count(), TrainingRun.objects.count())
    assert before[0] == before[3] == 1
    assert min(before) > 0
    assert sent == [("mlops.train_version", TrainingRun.objects.get().pk)]
    assert "is queued" in capsys.readouterr().out
    call_command("bootstrap")
    after = (User.objects.count(), Instrument.objects.count(), DailyBar.objects.count(), TrainingRun.objects.count())
    assert after == before
    assert len(sent) == 1


def test_the_printed_link_sets_the_first_password_once(
    sent: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("bootstrap")
    (path,) = re.findall(r"Set its password once at http://[^/]+(/\S+)", capsys.readouterr().out)
    browser = Client()
    form = browser.get(path).headers["Location"]
    browser.post(form, {"password1": GOOD_PASSWORD, "password2": GOOD_PASSWORD})
    user = User.objects.get()
    assert user.check_password(GOOD_PASSWORD)
    assert user.is_superuser
    assert EmailAddress.objects.filter(user=user, verified=True).exists()
    assert Client().get(path).status_code == 200, "a used link shows a page instead of the form"
    call_command("bootstrap")
    assert "Set its password" not in capsys.readouterr().out


def test_a_password_from_the_environment_needs_no_link(
    sent: list[tuple[str, int]], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = settings.HINDCAST_IDENTITY
    settings.HINDCAST_IDENTITY = replace(identity, staff_email="ops@example.org", staff_password="123")
    with pytest.raises(CommandError, match="HINDCAST_STAFF_PASSWORD is refused: "):
        call_command("bootstrap")
    settings.HINDCAST_IDENTITY = replace(identity, staff_email="ops@example.org", staff_password=GOOD_PASSWORD)
    call_command("bootstrap")
    printed = capsys.readouterr().out
    assert "Staff user: ops@example.org, created." in printed
    assert "Set its password" not in printed
    assert GOOD_PASSWORD not in printed
    assert User.objects.get().check_password(GOOD_PASSWORD)


def test_nothing_is_trained_where_there_is_a_model(sent: list[tuple[str, int]]) -> None:
    model_version()
    call_command("bootstrap")
    assert (sent, TrainingRun.objects.count(), ModelVersion.objects.count()) == ([], 0, 1)


def test_a_failed_first_training_is_queued_again(sent: list[tuple[str, int]]) -> None:
    call_command("bootstrap")
    TrainingRun.objects.update(status=TrainingRun.Status.FAILED)
    call_command("bootstrap")
    assert [pk for _, pk in sent] == sorted(TrainingRun.objects.values_list("pk", flat=True))
    assert len(sent) == 2


def test_pages_show_the_first_training(sent: list[tuple[str, int]]) -> None:
    call_command("bootstrap")
    run = TrainingRun.objects.get()
    for url in ("/", "/stocks/AAPL", "/models"):
        assert "The first model is waiting for a worker" in Client().get(url).content.decode()
    claim_run(run.pk, now=NOW)
    TrainingRun.objects.update(progress=0.42)
    assert "42% done." in Client().get("/").content.decode()
    TrainingRun.objects.update(status=TrainingRun.Status.FAILED)
    assert "No model has been trained yet" in Client().get("/").content.decode()
