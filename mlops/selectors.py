"""What is read of model versions, who served when, and trainings."""

from datetime import datetime

from django.db.models import Q, QuerySet

from mlops.errors import NoChampion, VersionUnknown
from mlops.models import AliasChange, ModelVersion, TrainingRun

CHAMPION = "champion"


def champion() -> ModelVersion:
    """The version that serves. Raises NoChampion before the first training."""
    version = ModelVersion.objects.filter(stage=ModelVersion.Stage.CHAMPION).first()
    if version is None:
        raise NoChampion
    return version


def version_named(name: str) -> ModelVersion:
    """The version with this name. Raises VersionUnknown."""
    found = ModelVersion.objects.filter(version=name).first()
    if found is None:
        raise VersionUnknown(name)
    return found


def champion_at(instant: datetime) -> ModelVersion:
    """The version that served at `instant`. Raises NoChampion when none did."""
    change = (
        AliasChange.objects.filter(alias=CHAMPION, starts_at__lte=instant)
        .filter(Q(ends_at=None) | Q(ends_at__gt=instant))
        .select_related("version")
        .first()
    )
    if change is None:
        raise NoChampion
    return change.version


def previous_champion() -> ModelVersion | None:
    """Who served before the champion took over, or None when nobody did."""
    change = (
        AliasChange.objects.filter(alias=CHAMPION, ends_at__isnull=False)
        .select_related("version")
        .order_by("-ends_at", "-pk")
        .first()
    )
    return None if change is None else change.version


def waiting_runs() -> QuerySet[TrainingRun]:
    """Trainings that were asked for and have not begun, oldest first."""
    return TrainingRun.objects.filter(status=TrainingRun.Status.QUEUED).order_by("requested_at")
