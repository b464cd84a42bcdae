"""Realised outcomes of forecasts."""

from typing import ClassVar

from django.db import models


class Outcome(models.Model):
    """Outcome of a forecast, written when the target session's bar is final.

    Revision 0 counts in every figure; later ones are corrections. `origin` is the forecast's: the migration makes
    (id, origin) the primary key and (forecast, origin) the foreign key in the database, so that both tables can be
    partitioned by origin.
    """

    # The unique constraint, which begins with the forecast, is its index.
    forecast = models.ForeignKey(
        "predictions.Forecast", on_delete=models.PROTECT, related_name="outcomes", db_index=False, db_constraint=False
    )
    origin = models.DateField("the forecast's last known session")
    revision = models.PositiveSmallIntegerField(default=0)
    actual_price = models.DecimalField("actual close on the forecast's basis", max_digits=24, decimal_places=12)
    error = models.DecimalField("predicted minus actual", max_digits=24, decimal_places=12, null=True)
    went_up = models.BooleanField()
    direction_right = models.BooleanField(null=True)
    inside_80 = models.BooleanField(null=True)
    inside_95 = models.BooleanField(null=True)
    inside_99 = models.BooleanField(null=True)
    volatility_rose = models.BooleanField("larger swings than over the same span before", null=True)
    call_right = models.BooleanField("BUY or SELL came true", null=True)
    recorded_at = models.DateTimeField()
    payload = models.TextField("canonical JSON of all other columns")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["forecast", "origin", "revision"], name="outcome_once_per_revision"),
        ]

    def __str__(self) -> str:
        return f"{self.forecast_id} revision {self.revision}"
