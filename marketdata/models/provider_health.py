"""How a source of market data is, as its last probe found it."""

from typing import ClassVar

from django.db import models


class ProviderHealth(models.Model):
    """One row a source: its state, how fast it answers, why it failed, and what is left of the day's budget.

    A source that the settings name and that has no key is off. What it is asked for (prices, news) is a fact of the
    settings and no column: the selectors say it with each row.
    """

    uses: tuple[str, ...] = ()

    class State(models.TextChoices):
        OK = "ok"
        DEGRADED = "degraded"
        DOWN = "down"
        UNKNOWN = "unknown"
        OFF = "off"

    provider = models.CharField("source", max_length=32, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.UNKNOWN)
    detail = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField("last checked", null=True, blank=True)
    latency_ms = models.PositiveIntegerField("latency (ms)", null=True, blank=True)
    last_success_at = models.DateTimeField("last success", null=True, blank=True)
    last_failure_at = models.DateTimeField("last failure", null=True, blank=True)
    error_kinds = models.JSONField("failures today", default=dict, blank=True)
    calls_today = models.PositiveIntegerField(default=0)
    calls_left = models.PositiveIntegerField("calls left today", null=True, blank=True)
    runs_out_at = models.DateTimeField("budget exhausted at", null=True, blank=True)
    paused_until = models.DateTimeField("paused until", null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["provider"]
        verbose_name = "market data source"
        verbose_name_plural = "market data sources"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=["ok", "degraded", "down", "unknown", "off"]),
                name="provider_health_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.state}"

    @property
    def failures(self) -> list[tuple[str, int]]:
        """The failures of the day by kind, in words, the most frequent first."""
        counts = [(kind.replace("_", " "), count) for kind, count in self.error_kinds.items()]
        return sorted(counts, key=lambda one: (-one[1], one[0]))
