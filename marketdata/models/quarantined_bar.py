"""Quarantined bars: rejected by a quality rule, never served, never trained on."""

from typing import ClassVar

from django.db import models


class QuarantinedBar(models.Model):
    """Bar as received, with the quality rule that rejected it."""

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="quarantined_bars")
    session = models.DateField()
    source = models.CharField(max_length=32)
    rule = models.CharField("quality rule", max_length=48)
    reason = models.CharField(max_length=300)
    bar = models.JSONField("raw bar")
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-seen_at", "session"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "session", "source", "rule"], name="quarantined_bar_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.session}: {self.rule}"
