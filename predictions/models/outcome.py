"""What came of a forecast."""

from typing import ClassVar

from django.db import models


class Outcome(models.Model):
    """Written when the target session's bar is final. Revision 0 counts in every figure; later ones are corrections."""

    # Found by the unique constraint, which begins with it.
    forecast = models.ForeignKey(
        "predictions.Forecast", on_delete=models.PROTECT, related_name="outcomes", db_index=False
    )
    revision = models.PositiveSmallIntegerField(default=0)
    actual_price = models.DecimalField("actual close on the forecast's basis", max_digits=18, decimal_places=6)
    error = models.DecimalField("predicted minus actual", max_digits=18, decimal_places=6, null=True)
    went_up = models.BooleanField()
    direction_right = models.BooleanField(null=True)
    inside_80 = models.BooleanField(null=True)
    inside_95 = models.BooleanField(null=True)
    inside_99 = models.BooleanField(null=True)
    volatility_rose = models.BooleanField("larger swings than over the same span before", null=True)
    call_right = models.BooleanField("BUY or SELL came true", null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["forecast", "revision"], name="outcome_once_per_revision"),
        ]

    def __str__(self) -> str:
        return f"{self.forecast_id} revision {self.revision}"
