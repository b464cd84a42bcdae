"""Instruments and their symbol aliases."""

from decimal import Decimal
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Instrument(models.Model):
    """One listing, identified by canonical symbol (`BRK.B`, `^GSPC`, `0700.HK`) and exchange MIC."""

    symbol = models.CharField(max_length=15)
    mic = models.CharField("exchange (MIC)", max_length=4, default="XNYS")
    name = models.CharField(max_length=200)
    sector = models.CharField(max_length=80, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    tick = models.DecimalField("tick size", max_digits=24, decimal_places=12, default=Decimal("0.01"))
    is_active = models.BooleanField("forecast each session", default=True)
    source = models.CharField("price history source", max_length=32, blank=True)
    basis_date = models.DateField("split-adjusted as of", null=True, blank=True)
    delisted_on = models.DateField("last session before delisting", null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["symbol"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["symbol", "mic"], name="instrument_symbol_per_exchange"),
            models.CheckConstraint(condition=models.Q(tick__gt=0), name="instrument_tick_positive"),
            models.CheckConstraint(
                condition=models.Q(delisted_on__isnull=True) | models.Q(is_active=False),
                name="instrument_delisted_is_not_active",
            ),
        ]
        indexes: ClassVar = [
            GinIndex(fields=["symbol"], opclasses=["gin_trgm_ops"], name="instrument_symbol_trigrams"),
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="instrument_name_trigrams"),
        ]

    def __str__(self) -> str:
        return self.symbol


class SymbolAlias(models.Model):
    """Symbol of an instrument at one vendor; without a vendor, an alternative symbol such as a former one."""

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="aliases")
    vendor = models.CharField("provider", max_length=32, blank=True)
    symbol = models.CharField(max_length=32)

    class Meta:
        ordering: ClassVar = ["symbol", "vendor"]
        verbose_name_plural = "symbol aliases"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor", "symbol"], name="symbol_alias_once"),
            models.UniqueConstraint(
                fields=["instrument", "vendor"],
                condition=~models.Q(vendor=""),
                name="symbol_alias_one_per_vendor",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} at {self.vendor}" if self.vendor else self.symbol
