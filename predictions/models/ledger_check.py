"""Verifications of the ledger."""

from typing import ClassVar

from django.db import models


class LedgerCheck(models.Model):
    """One verification: how many forecasts it read, and the first fault in one sentence, empty when all held."""

    checked_at = models.DateTimeField()
    seconds = models.FloatField()
    forecasts = models.PositiveBigIntegerField()
    fault = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-checked_at", "-id"]

    def __str__(self) -> str:
        return self.fault or f"{self.forecasts} forecasts hold"
