"""Delivery attempts of alerts."""

from typing import ClassVar

from django.db import models


class DeliveryAttempt(models.Model):
    """One attempt over one channel, stored before sending and completed after, so that a crash shows."""

    class Status(models.TextChoices):
        STARTED = "started"
        SENT = "sent"
        FAILED = "failed"

    alert = models.ForeignKey("alerts.Alert", on_delete=models.CASCADE, related_name="attempts")
    channel = models.CharField(max_length=16)
    recipient = models.CharField(max_length=254)
    status = models.CharField(max_length=8, choices=Status, default=Status.STARTED)
    error = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.alert_id} by {self.channel}: {self.status}"
