"""A bar that was not believed: kept to be looked at, never served, never trained on."""

from typing import ClassVar

from django.db import models


class QuarantinedBar(models.Model):
    """The bar as the source gave it, and which quality rule refused it."""

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
