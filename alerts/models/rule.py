"""Alert rules of users."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.conditions import Condition
from predictions.templatetags.figures import price


class Rule(models.Model):
    """A condition on one instrument. It fires when it becomes true and re-arms once it is false."""

    class Kind(models.TextChoices):
        SIGNAL_BECOMES = "signal_becomes", "signal changes to"
        PRICE_ABOVE = "price_above", "price closes above"
        PRICE_BELOW = "price_below", "price closes below"

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
        """The condition as a value, without the database row."""
        return Condition(self.kind, self.signal, self.horizon_sessions, self.threshold)

    @property
    def phrase(self) -> str:
        """The condition as text after the symbol: "closes above $180.50"; reads the instrument."""
        if self.kind == self.Kind.SIGNAL_BECOMES:
            return f"{self.horizon_sessions}-day signal changes to {self.signal}"
        side = "above" if self.kind == self.Kind.PRICE_ABOVE else "below"
        return f"closes {side} {price(self.threshold, self.instrument)}"
