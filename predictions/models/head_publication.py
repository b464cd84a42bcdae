"""Publications of ledger heads, and the heads of other deployments that this one witnesses."""

from typing import ClassVar

from django.db import models


class HeadPublication(models.Model):
    """Publication of a head by one witness: its attempts, the last error, and the receipt of the successful one."""

    head = models.ForeignKey("predictions.LedgerHead", on_delete=models.PROTECT, related_name="publications")
    witness = models.CharField(max_length=300)
    attempts = models.PositiveIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    error = models.CharField("reason of the last failure", max_length=300, blank=True)
    receipt = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-head__day", "witness"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["head", "witness"], name="head_published_once_per_witness")
        ]

    def __str__(self) -> str:
        return f"{self.head_id} by {self.witness}"


class WitnessedHead(models.Model):
    """A head that another deployment signed and sent. Two heads of one key and day prove a rewritten ledger."""

    public_key = models.CharField(max_length=64)
    day = models.DateField()
    count = models.PositiveBigIntegerField("forecasts in the chain")
    head_hash = models.CharField("entry hash of the newest forecast", max_length=64)
    previous_hash = models.CharField(max_length=64)
    payload = models.TextField()
    entry_hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-day", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["public_key", "entry_hash"], name="witnessed_head_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} of {self.public_key[:16]}"
