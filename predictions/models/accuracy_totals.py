"""Sums over scored forecasts, from which all metrics of the record are computed."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

# Bin edges of the calibration of P(up): narrow where calibrated forecasts lie.
BIN_EDGES = (0.4, 0.45, 0.475, 0.5, 0.525, 0.55, 0.575, 0.6, 0.65)
BIN_COUNT = len(BIN_EDGES) + 1


def _exact() -> models.DecimalField:
    """A sum of numbers that are rounded to twelve decimals before they are added: exact in any order."""
    return models.DecimalField(max_digits=30, decimal_places=12, default=0)


def empty_bins() -> list[Any]:
    return [0] * BIN_COUNT


class AccuracyTotals(models.Model):
    """Sums over the first outcomes of issued forecasts; losses and errors of prices are relative to the last price.

    A call is a BUY or SELL whose outcome is known; of the SELLs, `risks` are those for risk, the others are for lag.
    `volatility_rises` and `big_moves` count how often swings became larger and prices moved by more than 5 %.
    """

    n = models.BigIntegerField(default=0)
    hits = models.BigIntegerField("direction right", default=0)
    ups = models.BigIntegerField("closed higher", default=0)
    predicted_up = models.BigIntegerField(default=0)
    predicted_up_hits = models.BigIntegerField(default=0)
    inside_80 = models.BigIntegerField(default=0)
    inside_95 = models.BigIntegerField(default=0)
    inside_99 = models.BigIntegerField(default=0)
    buys = models.BigIntegerField(default=0)
    buy_hits = models.BigIntegerField(default=0)
    sells = models.BigIntegerField(default=0)
    sell_hits = models.BigIntegerField(default=0)
    volatility_calls = models.BigIntegerField(default=0)
    volatility_hits = models.BigIntegerField(default=0)
    volatility_rises = models.BigIntegerField(default=0)
    risks = models.BigIntegerField(default=0)
    risk_hits = models.BigIntegerField(default=0)
    big_moves = models.BigIntegerField(default=0)
    brier = _exact()
    log_loss = _exact()
    absolute_error = _exact()
    absolute_naive = _exact()
    squared_error = _exact()
    squared_naive = _exact()
    bin_n = ArrayField(models.BigIntegerField(), default=empty_bins)
    bin_ups = ArrayField(models.BigIntegerField(), default=empty_bins)
    bin_probability = ArrayField(models.DecimalField(max_digits=24, decimal_places=6), default=empty_bins)

    class Meta:
        abstract = True


SCALAR_TOTALS: tuple[str, ...] = tuple(
    field.name for field in AccuracyTotals._meta.local_fields if not isinstance(field, ArrayField)
)
BIN_TOTALS: tuple[str, ...] = ("bin_n", "bin_ups", "bin_probability")


# Sums of the charts over time; an index covers them, because every day is read.
DAILY_TOTALS: tuple[str, ...] = (
    "n", "hits", "ups", "inside_80", "inside_95", "inside_99", "brier", "buys", "risks", "big_moves",
)  # fmt: skip


class AccuracyDay(AccuracyTotals):
    """One target session of one version (all of them together where it is null), kind and horizon, all stocks."""

    model_version = models.ForeignKey("mlops.ModelVersion", on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=11)
    horizon_sessions = models.PositiveSmallIntegerField()
    target = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "model_version", "horizon_sessions", "target"],
                include=DAILY_TOTALS,
                name="accuracy_day_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} +{self.horizon_sessions} {self.target}"
