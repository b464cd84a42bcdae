"""Daily bars."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least


class DailyBar(models.Model):
    """Open, high, low, close, adjusted close and volume, split-adjusted as of the instrument's basis date."""

    pk = models.CompositePrimaryKey("instrument_id", "session")
    # A statement trigger checks the foreign key, and the primary key serves as index: a row-level constraint and an
    # extra index would double the time of a bulk insert.
    instrument = models.ForeignKey(
        "marketdata.Instrument", on_delete=models.CASCADE, related_name="bars", db_constraint=False, db_index=False
    )
    session = models.DateField()
    open = models.DecimalField(max_digits=24, decimal_places=12)
    high = models.DecimalField(max_digits=24, decimal_places=12)
    low = models.DecimalField(max_digits=24, decimal_places=12)
    close = models.DecimalField(max_digits=24, decimal_places=12)
    adjusted_close = models.DecimalField(max_digits=24, decimal_places=12)
    volume = models.BigIntegerField()
    source = models.CharField(max_length=32)
    fetched_at = models.DateTimeField()
    is_final = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(low__lte=Least(F("open"), F("close")), high__gte=Greatest(F("open"), F("close"))),
                name="daily_bar_low_high_enclose",
            ),
            models.CheckConstraint(condition=Q(low__gt=0, adjusted_close__gt=0), name="daily_bar_prices_positive"),
            models.CheckConstraint(condition=Q(volume__gte=0), name="daily_bar_volume_not_negative"),
        ]
        # A BRIN index takes a few bytes per 128 pages and finds the bars fetched since an instant.
        indexes: ClassVar = [BrinIndex(fields=["fetched_at"], autosummarize=True, name="daily_bar_fetched")]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.session}"
