"""Where the chain ended on each day."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class LedgerHead(models.Model):
    """The newest row when the day's head was taken, and how many rows led there; published, so that anybody keeps one.

    Outcomes are hashed in the order of their keys when a head is taken: the hash before, then each one's text.

    `day` is the UTC day of `recorded_at`. Heads are chained like forecasts: `entry_hash` covers every other field and
    the hash of the head before it.
    """

    day = models.DateField(unique=True)
    count = models.PositiveBigIntegerField("forecasts in the chain")
    last_forecast = models.ForeignKey("predictions.Forecast", on_delete=models.PROTECT, related_name="+")
    head_hash = models.CharField("entry hash of the newest forecast", max_length=64)
    outcomes = models.PositiveBigIntegerField("outcomes that were known")
    last_outcome = models.PositiveBigIntegerField("key of the newest of them")
    outcomes_hash = models.CharField("hash over all of them", max_length=64)
    recorded_at = models.DateTimeField()
    previous_hash = models.CharField(max_length=64)
    entry_hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar = ["-day"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(count__gt=0), name="ledger_head_has_forecasts")]

    def __str__(self) -> str:
        return f"{self.day}: {self.count} forecasts"
