"""How far scoring and counting have come, and what still waits for its session."""

from typing import ClassVar

from django.db import models


class ScoringProgress(models.Model):
    """One row: up to where forecasts, bars and outcomes have been looked at. Windows of the record end with `as_of`."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    forecasts_seen = models.BigIntegerField("key of the last forecast put on the waiting list", default=0)
    bars_seen_at = models.DateTimeField("bars fetched before were compared with the outcomes", null=True)
    outcomes_counted = models.BigIntegerField("key of the last outcome in the sums", default=0)
    as_of = models.DateField("session with which the windows end", null=True)
    updated_at = models.DateTimeField("when the sums last changed", null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="scoring_progress_is_one_row"),
        ]

    def __str__(self) -> str:
        return f"as of {self.as_of}"


class PendingForecast(models.Model):
    """An issued forecast without an outcome, on the list until its target session's bar is final."""

    forecast = models.OneToOneField(
        "predictions.Forecast",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="pending",
        db_constraint=False,
    )
    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="+", db_index=False)
    target = models.DateField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["target", "instrument"], name="pending_by_target")]

    def __str__(self) -> str:
        return f"{self.forecast_id} until {self.target}"
