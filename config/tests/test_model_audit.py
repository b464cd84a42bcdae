"""Changes of the model in production are audited in the same transaction."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from accounts.models import AuditEvent, User
from mlops.models import AliasChange
from mlops.services.registry import promote, rollback
from mlops.tests.factories import version_with_files

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)


def test_promotions_and_rollbacks_are_recorded_once(settings: Settings, tmp_path: Path) -> None:
    settings.HINDCAST_MODELS = replace(settings.HINDCAST_MODELS, artifacts=tmp_path)
    staff = User.objects.create_superuser("root@example.com", "correct horse battery")
    first, second = version_with_files("v1"), version_with_files("v2")
    promote(version=first, actor=None, reason="the first", now=NOW)
    promote(version=second, actor=staff, reason="better", now=NOW)
    promote(version=second, actor=staff, reason="again", now=NOW)
    rollback(actor=staff, reason="worse after all", now=NOW)
    rows = AuditEvent.objects.order_by("pk").values_list("kind", "user_id", "detail", "recorded_at")
    assert list(rows) == [
        ("model_promoted", None, "v1", NOW),
        ("model_promoted", staff.pk, "v2", NOW),
        ("model_rolled_back", staff.pk, "v1", NOW),
    ]


def test_a_failed_audit_rolls_the_change_back(settings: Settings, tmp_path: Path) -> None:
    settings.HINDCAST_MODELS = replace(settings.HINDCAST_MODELS, artifacts=tmp_path)
    settings.HINDCAST_ON_MODEL_CHANGE = "config.tests.test_model_audit.refuse"
    with pytest.raises(OSError, match="no record"), transaction.atomic():
        promote(version=version_with_files("v1"), actor=None, reason="the first", now=NOW)
    assert not AliasChange.objects.exists()


def refuse(**_: object) -> None:
    """Audit hook that fails."""
    raise OSError("no record")
