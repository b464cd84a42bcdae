"""A trained ensemble for all horizons."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class ModelVersion(models.Model):
    """Two fits: the hold-out fit gives metrics and hindcasts, the serving fit gives live forecasts."""

    class Stage(models.TextChoices):
        CANDIDATE = "candidate"
        CHAMPION = "champion"
        RETIRED = "retired"

    version = models.CharField(max_length=32, unique=True)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.CANDIDATE)
    feature_set = models.CharField(max_length=32)
    seed = models.PositiveBigIntegerField()
    trained_through = models.DateField("trained through")
    holdout_trained_through = models.DateField("hold-out fit trained through")
    holdout_first = models.DateField("hold-out from")
    holdout_last = models.DateField("hold-out to")
    artifact_path = models.CharField(max_length=300)
    artifact_sha256 = models.CharField(max_length=64)
    toolchain = models.JSONField("library versions", default=dict)
    metrics = models.JSONField(default=dict)
    train_seconds = models.FloatField("training time (s)")
    created_at = models.DateTimeField()
    note = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        permissions: ClassVar = [("promote_modelversion", "Can promote a model version and roll back")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stage"], condition=Q(stage="champion"), name="model_version_one_champion"),
            models.CheckConstraint(
                condition=Q(holdout_trained_through__lt=models.F("holdout_first")), name="model_version_holdout_unseen"
            ),
        ]

    def __str__(self) -> str:
        return self.version
