"""Health of market data sources."""

from typing import ClassVar

from django.db import models


class ProviderHealth(models.Model):
    """State, latency, failures and remaining call budget of a source at its last check.

    A configured source without an API key is off. `uses` (prices, news) comes from the settings; selectors fill it in.
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
        """Return today's failures by kind, most frequent first."""
        counts = [(kind.replace("_", " "), count) for kind, count in self.error_kinds.items()]
        return sorted(counts, key=lambda one: (-one[1], one[0]))
