"""Training jobs and their progress."""

from typing import ClassVar

from django.db import models


class TrainingRun(models.Model):
    """A training job. The row holds its state; the sweep sends `queued` rows again after a lost message."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    reason = models.CharField(max_length=200)
    seed = models.PositiveBigIntegerField()
    through = models.DateField("train through", null=True, blank=True)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField("last heartbeat", null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    progress = models.FloatField(default=0.0)
    stage = models.CharField("current step", max_length=120, blank=True)
    error = models.TextField(blank=True)
    version = models.ForeignKey("mlops.ModelVersion", on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-requested_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(progress__gte=0, progress__lte=1), name="training_run_progress_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.requested_at:%Y-%m-%d %H:%M}"
