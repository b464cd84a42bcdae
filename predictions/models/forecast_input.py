"""The numbers a forecast was computed from."""

from typing import ClassVar

from django.db import models


class ForecastInput(models.Model):
    """A compressed little-endian float64 block, from which one instrument's forecasts can be recomputed."""

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.PROTECT, related_name="+")
    origin = models.DateField()
    feature_set = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    block = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            # A publication asks for its session's blocks, and adds to the end.
            models.UniqueConstraint(
                fields=["origin", "feature_set", "instrument", "sha256"], name="forecast_input_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.origin} {self.feature_set}"
