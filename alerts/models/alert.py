"""Alerts: a rule's condition became true."""

from typing import ClassVar

from django.db import models


class Alert(models.Model):
    """One transition of one rule from false to true, with the text of its message."""

    rule = models.ForeignKey("alerts.Rule", on_delete=models.CASCADE, related_name="alerts")
    session = models.DateField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    raised_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-raised_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "session"], name="alert_once_per_session"),
        ]

    def __str__(self) -> str:
        return self.subject
