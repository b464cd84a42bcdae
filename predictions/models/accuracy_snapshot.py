"""How forecasts have done so far, rolled up so that a figure is one indexed read."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from predictions.models.accuracy_totals import AccuracyTotals

ALL_TIME = 0
WINDOWS: tuple[int, ...] = (30, 90, 365, ALL_TIME)


class AccuracySnapshot(AccuracyTotals):
    """The sums of one kind and horizon over a window of calendar days that ends with `ScoringProgress.as_of`; 0 is all.

    Without a version all of them are meant, without an instrument all stocks. A verdict is told for all time and all
    stocks only: of one stock alone there is never enough to judge by.
    """

    class Verdict(models.TextChoices):
        SKILL = "skill"
        NO_SKILL = "no skill"
        NOT_ENOUGH = "not enough evidence"

    model_version = models.ForeignKey("mlops.ModelVersion", on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=11)
    horizon_sessions = models.PositiveSmallIntegerField()
    window_days = models.PositiveSmallIntegerField()
    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, null=True, related_name="+")
    verdict = models.CharField(max_length=20, choices=Verdict, blank=True, default="")
    needed_n = models.BigIntegerField("forecasts that the verdict needs", null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["instrument", "kind", "model_version", "window_days", "horizon_sessions"],
                name="accuracy_snapshot_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(verdict="") | Q(instrument=None, window_days=ALL_TIME),
                name="accuracy_verdict_on_all_stocks_only",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "model_version", "horizon_sessions", "window_days", "instrument"],
                name="accuracy_snapshot_by_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} +{self.horizon_sessions} over {self.window_days or 'all'} days"
