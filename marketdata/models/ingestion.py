"""Ingestion runs and chunked backfills."""

from typing import ClassVar

from django.db import models


class IngestionRun(models.Model):
    """Outcome of one ingestion of one instrument: source, bar counts, and details of failures."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="ingestion_runs")
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    provider = models.CharField(max_length=32, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    bars_new = models.PositiveIntegerField(default=0)
    bars_changed = models.PositiveIntegerField(default=0)
    bars_unchanged = models.PositiveIntegerField(default=0)
    bars_quarantined = models.PositiveIntegerField(default=0)
    detail = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.status} {self.started_at:%Y-%m-%d %H:%M}"


class Backfill(models.Model):
    """Instruments to backfill through a session, and the number completed.

    `instrument_pks` is processed in order; `done` advances after each chunk, so that an interrupted backfill resumes.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"

    instrument_pks = models.JSONField()
    through = models.DateField("last session")
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    done = models.PositiveIntegerField("completed instruments", default=0)
    failed_symbols = models.JSONField(default=list)
    created_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status="waiting", finished_at__isnull=True)
                | models.Q(status="done", finished_at__isnull=False),
                name="backfill_finished_when_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.done} of {len(self.instrument_pks)} instruments through {self.through}"
