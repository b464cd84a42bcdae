"""Daily bars, corporate actions, packed bar blocks and quarantined bars."""

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


class CorporateAction(models.Model):
    """A split (`value` new shares per old one) or a dividend (`value` cash per share), effective before the open."""

    class Kind(models.TextChoices):
        SPLIT = "split"
        DIVIDEND = "dividend"

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="corporate_actions")
    session = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind)
    value = models.DecimalField(max_digits=18, decimal_places=8)
    source = models.CharField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "session", "kind"], name="corporate_action_once"),
            models.CheckConstraint(condition=models.Q(value__gt=0), name="corporate_action_value_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.kind} {self.value} on {self.session}"


class BarBlock(models.Model):
    """Packed float64 rows, oldest first, with a checksum per segment (see `marketdata.bar_blocks`).

    A trigger deletes the block whenever a bar of the instrument changes; the writer of the bars rebuilds it in the same
    transaction. Without a block, readers fall back to the rows.
    """

    instrument = models.OneToOneField(
        "marketdata.Instrument", on_delete=models.CASCADE, related_name="bar_block", primary_key=True
    )
    row_count = models.PositiveIntegerField()
    body = models.BinaryField()
    checksums = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(row_count__gt=0), name="bar_block_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id}: {self.row_count} bars"


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
