"""What a person wants to be told."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.conditions import Condition


class Rule(models.Model):
    """A condition on one instrument: it fires when it becomes true, and is armed again once it has been false."""

    class Kind(models.TextChoices):
        SIGNAL_BECOMES = "signal_becomes", "the signal turns to"
        PRICE_ABOVE = "price_above", "the price closes above"
        PRICE_BELOW = "price_below", "the price closes below"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_rules")
    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    signal = models.CharField(max_length=4, blank=True)
    horizon_sessions = models.PositiveSmallIntegerField(null=True, blank=True)
    threshold = models.DecimalField(max_digits=24, decimal_places=12, null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_armed = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    kind="signal_becomes",
                    threshold=None,
                    horizon_sessions__isnull=False,
                    signal__in=["BUY", "HOLD", "SELL"],
                )
                | Q(
                    kind__in=["price_above", "price_below"],
                    threshold__isnull=False,
                    threshold__gt=0,
                    signal="",
                    horizon_sessions=None,
                ),
                name="rule_has_what_its_kind_needs",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.kind}"

    @property
    def condition(self) -> Condition:
        """The condition by itself, for judging it."""
        return Condition(self.kind, self.signal, self.horizon_sessions, self.threshold)

    @property
    def phrase(self) -> str:
        """The condition in words, to follow "when"; reads the instrument."""
        if self.kind == self.Kind.SIGNAL_BECOMES:
            return f"the {self.horizon_sessions}-session forecast turns to {self.signal}"
        threshold = "" if self.threshold is None else f"{self.threshold.normalize():f}"
        return f"{self.Kind(self.kind).label} {threshold} {self.instrument.currency}"
