"""Ingestion runs."""

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
