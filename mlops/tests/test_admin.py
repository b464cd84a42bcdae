"""Model admin: promote, roll back and train; all else is read-only."""

from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from mlops.models import AliasChange, Evaluation, TrainingRun
from mlops.selectors import champion
from mlops.services.registry import promote
from mlops.tests.broker import Sent
from mlops.tests.factories import NOW, model_version, training_run, version_with_files

pytestmark = pytest.mark.django_db

SUBMITTED = {"_form_submitted": "true"}
LIST = "admin:mlops_modelversion_changelist"
DETAIL = "admin:mlops_modelversion_change"


def signed_in(client: Client, *permissions: str) -> Client:
    """The browser of a member of staff with these permissions and no other."""
    user = get_user_model().objects.create_user("staff@example.com", "correct horse", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


@pytest.fixture
def staff(client: Client) -> Client:
    return signed_in(client, "view_modelversion", "promote_modelversion", "view_trainingrun", "add_trainingrun")


def test_the_list_shows_each_accuracy_beside_its_base_rate(staff: Client) -> None:
    model_version("v7")
    page = staff.get(reverse(LIST)).content.decode()
    assert "v7" in page
    assert "54.8% (baseline 54.6%)" in page
    assert "66.1% (baseline 50.2%)" in page
    assert "95.1%" in page


def test_the_detail_shows_the_figures_of_every_horizon(staff: Client) -> None:
    version = model_version("v7")
    page = staff.get(reverse(DETAIL, args=[version.pk])).content.decode()
    for figure in ("1,482", "54.8%", "54.6%", "0.521", "1,506", "51.7%"):
        assert figure in page
    assert 'name="version"' not in page


def test_a_version_without_figures_can_be_looked_at(staff: Client) -> None:
    version = model_version("v7", metrics={})
    assert staff.get(reverse(LIST)).status_code == 200
    assert "No metrics stored." in staff.get(reverse(DETAIL, args=[version.pk])).content.decode()


def test_promotion_asks_for_a_reason_and_keeps_it_with_the_actor(staff: Client, artifact_root: Path) -> None:
    version = version_with_files("v1")
    url = reverse("admin:mlops_modelversion_promote", args=[version.pk])
    assert "reason" in staff.get(url).content.decode()
    staff.post(url, {**SUBMITTED, "reason": ""})
    assert not AliasChange.objects.exists()

    answer = staff.post(url, {**SUBMITTED, "reason": "looks right"})
    assert answer.headers["HX-Redirect"] == reverse(DETAIL, args=[version.pk])
    assert champion() == version
    change = AliasChange.objects.get()
    assert change.actor is not None
    assert (change.actor.email, change.reason) == ("staff@example.com", "looks right")


def test_damaged_files_are_reported_and_not_promoted(staff: Client, artifact_root: Path) -> None:
    version = model_version("v1")
    staff.post(reverse("admin:mlops_modelversion_promote", args=[version.pk]), {**SUBMITTED, "reason": "looks right"})
    page = staff.get(reverse(LIST)).content.decode()
    assert "The files of model v1 cannot be used: manifest.json is missing." in page
    assert not AliasChange.objects.exists()


def test_roll_back_brings_the_champion_before_back(staff: Client, artifact_root: Path) -> None:
    first, second = version_with_files("v1"), version_with_files("v2")
    promote(version=first, actor=None, reason="first", now=NOW)
    promote(version=second, actor=None, reason="newer", now=NOW)
    staff.post(reverse("admin:mlops_modelversion_roll_back"), {**SUBMITTED, "reason": "worse live"})
    assert champion() == first


def test_promotion_and_rollback_publish_the_new_champion(
    staff: Client,
    artifact_root: Path,
    sent: Sent,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    first, second = version_with_files("v1"), version_with_files("v2")
    promote(version=first, actor=None, reason="first", now=NOW)
    promotion = reverse("admin:mlops_modelversion_promote", args=[second.pk])
    for url in (promotion, reverse("admin:mlops_modelversion_roll_back")):
        with django_capture_on_commit_callbacks(execute=True):
            staff.post(url, {**SUBMITTED, "reason": "looks right"})
        assert sent.messages()[0] == ("predictions.announce", [])
    with django_capture_on_commit_callbacks(execute=True):
        damaged = model_version("v3")
        staff.post(reverse("admin:mlops_modelversion_promote", args=[damaged.pk]), {**SUBMITTED, "reason": "try"})
    assert sent.messages() == []


def test_looking_at_versions_is_not_leave_to_promote_them(client: Client, artifact_root: Path) -> None:
    browser = signed_in(client, "view_modelversion", "change_modelversion", "view_trainingrun")
    version = version_with_files("v1")
    reason = {**SUBMITTED, "reason": "looks right"}
    assert browser.post(reverse("admin:mlops_modelversion_promote", args=[version.pk]), reason).status_code == 403
    assert browser.post(reverse("admin:mlops_modelversion_roll_back"), reason).status_code == 403
    assert browser.post(reverse("admin:mlops_trainingrun_train_now"), reason).status_code == 403
    assert not AliasChange.objects.exists()
    assert not TrainingRun.objects.exists()


def test_train_now_queues_a_run(staff: Client) -> None:
    url = reverse("admin:mlops_trainingrun_train_now")
    assert staff.get(url).status_code == 200
    assert not TrainingRun.objects.exists()
    answer = staff.post(url, {**SUBMITTED, "reason": "new prices", "seed": "11"})
    run = TrainingRun.objects.get()
    assert answer.headers["HX-Redirect"] == reverse("admin:mlops_trainingrun_changelist")
    assert (run.status, run.reason, run.seed) == ("queued", "new prices", 11)


def test_the_list_of_trainings_shows_how_far_they_are(staff: Client) -> None:
    training_run(status="running", progress=0.42, stage="LSTM")
    page = staff.get(reverse("admin:mlops_trainingrun_changelist")).content.decode()
    assert "42%" in page
    assert "LSTM" in page


def test_comparisons_and_alias_changes_can_be_read(admin_client: Client, artifact_root: Path) -> None:
    first, second = version_with_files("v1"), version_with_files("v2")
    promote(version=first, actor=None, reason="first trained version", now=NOW)
    Evaluation.objects.create(
        challenger=second, champion=first, rule="superiority", decision="keep", reason="No better than v1.",
        first=NOW.date(), last=NOW.date(), created_at=NOW,
    )  # fmt: skip
    assert "No better than v1." in admin_client.get(reverse("admin:mlops_evaluation_changelist")).content.decode()
    changes = admin_client.get(reverse("admin:mlops_aliaschange_changelist")).content.decode()
    assert "first trained version" in changes


@pytest.mark.parametrize("model", ["modelversion", "trainingrun", "evaluation", "aliaschange"])
def test_rows_are_read_only_in_the_admin(admin_client: Client, model: str) -> None:
    version = model_version("v1")
    keys = {
        "modelversion": version.pk,
        "trainingrun": training_run().pk,
        "evaluation": Evaluation.objects.create(
            challenger=version, champion=version, rule="superiority", decision="keep", reason="a copy",
            first=NOW.date(), last=NOW.date(), created_at=NOW,
        ).pk,
        "aliaschange": AliasChange.objects.create(alias="shadow", version=version, starts_at=NOW, reason="try").pk,
    }  # fmt: skip
    key = keys[model]
    assert admin_client.get(reverse(f"admin:mlops_{model}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:mlops_{model}_change", args=[key]), {"reason": "x"}).status_code == 403
    assert admin_client.post(reverse(f"admin:mlops_{model}_delete", args=[key]), {"post": "yes"}).status_code == 403
