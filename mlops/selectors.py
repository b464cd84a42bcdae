"""Queries on model versions, alias changes and training runs."""

from django.db.models import QuerySet

from mlops.errors import NoChampion, VersionUnknown
from mlops.models import AliasChange, ModelVersion, TrainingRun

CHAMPION = "champion"


def champion() -> ModelVersion:
    """Return the version in production. Raises NoChampion before the first training."""
    version = ModelVersion.objects.filter(stage=ModelVersion.Stage.CHAMPION).first()
    if version is None:
        raise NoChampion
    return version


def version_named(name: str) -> ModelVersion:
    """Return the version with this name. Raises VersionUnknown."""
    found = ModelVersion.objects.filter(version=name).first()
    if found is None:
        raise VersionUnknown(name)
    return found


def previous_champion() -> ModelVersion | None:
    """Return the version in production before the current champion, or None."""
    change = (
        AliasChange.objects.filter(alias=CHAMPION, ends_at__isnull=False)
        .select_related("version")
        .order_by("-ends_at", "-pk")
        .first()
    )
    return None if change is None else change.version


def first_training() -> TrainingRun | None:
    """Return the latest training while there is no version yet, in whatever state it is."""
    if ModelVersion.objects.exists():
        return None
    return TrainingRun.objects.order_by("-requested_at", "-pk").first()


def waiting_runs() -> QuerySet[TrainingRun]:
    """Return queued trainings, oldest first."""
    return TrainingRun.objects.filter(status=TrainingRun.Status.QUEUED).order_by("requested_at")
