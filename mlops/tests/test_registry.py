"""Tests of the registry: one champion at a time, a complete history, and the Redis key of the champion."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from mlops.errors import ArtifactCorrupt, NoChampion, PromotionRefused
from mlops.models import AliasChange, ModelVersion
from mlops.selectors import champion
from mlops.services.registry import promote, refresh_champion_key, rollback
from mlops.tests.factories import NOW, model_version, version_with_files
from store.client import redis_client

LATER = NOW + timedelta(days=7)


@pytest.mark.django_db
def test_promotion_retires_the_champion_and_remembers_who_and_why(artifact_root: Path) -> None:
    actor = get_user_model().objects.create_user("ada@example.com", "correct horse")
    first, second = version_with_files("v1"), version_with_files("v2")
    promote(version=first, actor=None, reason="first trained version", now=NOW)
    promote(version=second, actor=actor, reason="  better intervals ", now=LATER)

    assert champion() == second
    assert ModelVersion.objects.get(pk=first.pk).stage == "retired"
    rows = AliasChange.objects.order_by("starts_at").values_list("version", "starts_at", "ends_at", "actor", "reason")
    assert list(rows) == [
        (first.pk, NOW, LATER, None, "first trained version"),
        (second.pk, LATER, None, actor.pk, "better intervals"),
    ]


@pytest.mark.django_db
def test_promoting_the_champion_again_changes_nothing(artifact_root: Path) -> None:
    version = version_with_files()
    promote(version=version, actor=None, reason="first", now=NOW)
    promote(version=version, actor=None, reason="again", now=LATER)
    assert list(AliasChange.objects.values_list("reason", "ends_at")) == [("first", None)]


@pytest.mark.django_db
def test_promotion_needs_a_reason(artifact_root: Path) -> None:
    with pytest.raises(PromotionRefused, match="v1 was not promoted: a reason is needed"):
        promote(version=version_with_files(), actor=None, reason=" ", now=NOW)
    assert not ModelVersion.objects.filter(stage="champion").exists()


@pytest.mark.django_db
def test_damaged_files_are_not_promoted_and_the_champion_stays(artifact_root: Path) -> None:
    serving, damaged = version_with_files("v1"), version_with_files("v2")
    promote(version=serving, actor=None, reason="first", now=NOW)
    (artifact_root / "v2" / "serving" / "model.json").write_text("{}")
    with pytest.raises(ArtifactCorrupt, match="model v2"):
        promote(version=damaged, actor=None, reason="newer", now=LATER)
    assert champion() == serving


@pytest.mark.django_db
def test_rollback_brings_the_previous_champion_back_and_a_second_one_undoes_it(artifact_root: Path) -> None:
    first, second = version_with_files("v1"), version_with_files("v2")
    promote(version=first, actor=None, reason="first", now=NOW)
    promote(version=second, actor=None, reason="newer", now=LATER)
    assert rollback(actor=None, reason="worse live", now=LATER + timedelta(hours=1)) == first
    assert champion() == first
    assert rollback(actor=None, reason="it was the data", now=LATER + timedelta(hours=2)) == second
    assert champion() == second
    assert AliasChange.objects.count() == 4


@pytest.mark.django_db
def test_rollback_without_a_version_before_is_refused(artifact_root: Path) -> None:
    with pytest.raises(NoChampion):
        rollback(actor=None, reason="worse", now=NOW)
    promote(version=version_with_files(), actor=None, reason="first", now=NOW)
    with pytest.raises(PromotionRefused, match="there is no previous champion to roll back to"):
        rollback(actor=None, reason="worse", now=LATER)


@pytest.mark.django_db
def test_a_row_ends_no_earlier_than_it_began_under_a_wrong_clock(artifact_root: Path) -> None:
    promote(version=version_with_files("v1"), actor=None, reason="first", now=LATER)
    promote(version=version_with_files("v2"), actor=None, reason="newer", now=NOW)
    assert list(AliasChange.objects.order_by("pk").values_list("starts_at", "ends_at")) == [
        (LATER, LATER),
        (LATER, None),
    ]


@pytest.mark.django_db
def test_readers_are_notified_after_commit(
    artifact_root: Path, champion_key: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    redis = redis_client()
    with django_capture_on_commit_callbacks(execute=True):
        promote(version=version_with_files("v1"), actor=None, reason="first", now=NOW)
        assert redis.get(champion_key) is None
    assert redis.get(champion_key) == b"v1"


@pytest.mark.django_db
def test_the_key_is_deleted_without_a_champion(champion_key: str) -> None:
    redis = redis_client()
    redis.set(champion_key, "v9")
    refresh_champion_key()
    assert redis.get(champion_key) is None


@pytest.mark.django_db
def test_promotion_works_while_redis_is_down(
    artifact_root: Path,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url="redis://127.0.0.1:1/0")
    with django_capture_on_commit_callbacks(execute=True):
        promote(version=version_with_files("v1"), actor=None, reason="first", now=NOW)
    assert champion().version == "v1"


@pytest.mark.django_db(transaction=True)
def test_two_promotions_at_once_leave_exactly_one_champion(artifact_root: Path, champion_key: str) -> None:
    promote(version=version_with_files("v1"), actor=None, reason="first", now=NOW)
    rivals = [version_with_files("v2"), version_with_files("v3")]
    start = Barrier(len(rivals))
    failures: list[Exception] = []

    def promote_at_once(version: ModelVersion) -> None:
        try:
            start.wait(timeout=5)
            promote(version=version, actor=None, reason="race", now=LATER)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=promote_at_once, args=[version]) for version in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert failures == []
    serving = champion()
    assert serving in rivals
    assert AliasChange.objects.filter(ends_at=None).get().version == serving
    assert AliasChange.objects.count() == 3
    assert redis_client().get(champion_key) == serving.version.encode()


@pytest.mark.django_db
def test_the_database_refuses_a_second_champion() -> None:
    model_version("v1", stage="champion")
    with pytest.raises(IntegrityError, match="model_version_one_champion"), transaction.atomic():
        model_version("v2", stage="champion")


@pytest.mark.django_db
def test_the_database_refuses_a_hold_out_that_was_learned_from() -> None:
    with pytest.raises(IntegrityError, match="model_version_holdout_unseen"), transaction.atomic():
        model_version(holdout_trained_through=date(2022, 9, 21), holdout_first=date(2022, 9, 21))


@pytest.mark.django_db
def test_the_database_refuses_two_open_rows_for_one_alias_and_an_end_before_the_start() -> None:
    version = model_version()
    AliasChange.objects.create(alias="champion", version=version, starts_at=NOW, reason="first")
    with pytest.raises(IntegrityError, match="alias_change_one_open"), transaction.atomic():
        AliasChange.objects.create(alias="champion", version=version, starts_at=NOW, reason="second")
    with pytest.raises(IntegrityError, match="alias_change_ends_after_start"), transaction.atomic():
        AliasChange.objects.create(alias="shadow", version=version, starts_at=LATER, ends_at=NOW, reason="third")
