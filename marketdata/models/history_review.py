"""Doubtful price histories and what staff decided about them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class HistoryReview(models.Model):
    """Doubtful change in a source's history, shown by two responses, and the decision of staff.

    Until a change is accepted, the source's history is not stored for the instrument. `bars` are the bars around it
    as received.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="history_reviews")
    source = models.CharField(max_length=32)
    rule = models.CharField("quality rule", max_length=48)
    session = models.DateField("first doubtful session")
    factor = models.DecimalField("change of level", max_digits=14, decimal_places=6)
    finding = models.CharField(max_length=300)
    bars = models.JSONField("bars around it", default=list)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    reason = models.CharField("reason for the decision", max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField("first seen")

    class Meta:
        ordering: ClassVar = ["-seen_at", "session"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["instrument", "source", "rule", "session", "factor"], name="history_review_once"
            ),
            models.CheckConstraint(
                condition=Q(status="waiting", decided_at__isnull=True, reason="")
                | Q(~Q(status="waiting"), ~Q(reason=""), decided_at__isnull=False),
                name="history_review_decided_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.session}: {self.rule}"
