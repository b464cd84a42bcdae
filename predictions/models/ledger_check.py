"""Results of ledger verifications."""

from typing import ClassVar

from django.db import models


class LedgerCheck(models.Model):
    """One verification: the number of verified forecasts, and the first fault in one sentence or an empty string."""

    checked_at = models.DateTimeField()
    seconds = models.FloatField()
    forecasts = models.PositiveBigIntegerField()
    fault = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-checked_at", "-id"]

    def __str__(self) -> str:
        return self.fault or f"{self.forecasts} forecasts verified"
