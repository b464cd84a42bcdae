"""Paired comparison of two versions on the same hold-out sessions."""

from typing import ClassVar

from django.db import models


class Evaluation(models.Model):
    """Challenger compared with champion: statistics, decision and reason."""

    class Decision(models.TextChoices):
        PROMOTE = "promote"
        KEEP = "keep"

    challenger = models.ForeignKey("mlops.ModelVersion", on_delete=models.CASCADE, related_name="evaluations")
    champion = models.ForeignKey("mlops.ModelVersion", on_delete=models.CASCADE, related_name="+")
    rule = models.CharField(max_length=16)
    decision = models.CharField(max_length=8, choices=Decision)
    reason = models.TextField()
    statistics = models.JSONField(default=dict)
    first = models.DateField("first session compared")
    last = models.DateField("last session compared")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.challenger} against {self.champion}: {self.decision}"
