"""Model inputs of forecasts."""

from typing import ClassVar

from django.db import models


class ForecastInput(models.Model):
    """Compressed little-endian float64 block, from which one instrument's forecasts can be recomputed."""

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.PROTECT, related_name="+")
    origin = models.DateField()
    feature_set = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    block = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            # A publication reads the blocks of one session and appends new ones.
            models.UniqueConstraint(
                fields=["origin", "feature_set", "instrument", "sha256"], name="forecast_input_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.origin} {self.feature_set}"
