"""Symbol aliases."""

from typing import ClassVar

from django.db import models


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
