"""Daily heads of the ledger."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class LedgerHead(models.Model):
    """State of the ledger when the head of a UTC day was recorded; published, so that anyone can save one.

    It names the newest forecast and covers all outcomes so far: `outcomes_hash` is the chain hash over their payloads
    in the order of their ids. Heads are chained like forecasts: `entry_hash` covers `payload`, which holds every other
    column but the signature, and the hash of the head before. The key `key_id` signs the entry hash.
    """

    day = models.DateField(unique=True)
    count = models.PositiveBigIntegerField("forecasts in the chain")
    last_forecast = models.ForeignKey(
        "predictions.Forecast", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    head_hash = models.CharField("entry hash of the newest forecast", max_length=64)
    outcomes = models.PositiveBigIntegerField("outcomes so far")
    last_outcome = models.PositiveBigIntegerField("id of the newest outcome")
    outcomes_hash = models.CharField("chain hash over all outcomes", max_length=64)
    recorded_at = models.DateTimeField()
    key_id = models.CharField("key of the signature", max_length=16)
    payload = models.TextField("canonical JSON of all other columns but the signature")
    previous_hash = models.CharField(max_length=64)
    entry_hash = models.CharField(max_length=64, unique=True)
    signature = models.CharField("Ed25519 signature of the entry hash", max_length=128)

    class Meta:
        ordering: ClassVar = ["-day"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(count__gt=0), name="ledger_head_has_forecasts")]

    def __str__(self) -> str:
        return f"{self.day}: {self.count} forecasts"
