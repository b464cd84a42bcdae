"""Splits and dividends."""

from typing import ClassVar

from django.db import models


class CorporateAction(models.Model):
    """A split (`value` new shares per old one) or a dividend (`value` cash per share), effective before the open."""

    class Kind(models.TextChoices):
        SPLIT = "split"
        DIVIDEND = "dividend"

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="corporate_actions")
    session = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind)
    value = models.DecimalField(max_digits=18, decimal_places=8)
    source = models.CharField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "session", "kind"], name="corporate_action_once"),
            models.CheckConstraint(condition=models.Q(value__gt=0), name="corporate_action_value_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.kind} {self.value} on {self.session}"
