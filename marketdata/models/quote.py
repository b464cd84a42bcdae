"""Live quotes."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q


class Quote(models.Model):
    """Latest valid quote of an instrument; quotes never become bars."""

    instrument = models.OneToOneField(
        "marketdata.Instrument", on_delete=models.CASCADE, related_name="quote", primary_key=True
    )
    price = models.DecimalField(max_digits=24, decimal_places=12)
    as_of = models.DateTimeField()
    session = models.DateField()
    previous_close = models.DecimalField(max_digits=24, decimal_places=12, null=True, blank=True)
    source = models.CharField(max_length=32)
    is_delayed = models.BooleanField("delayed quote", default=False)
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["instrument__symbol"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(price__gt=0), name="quote_price_positive"),
            models.CheckConstraint(
                condition=Q(previous_close__isnull=True) | Q(previous_close__gt=0),
                name="quote_previous_close_positive",
            ),
            models.CheckConstraint(condition=Q(as_of__lte=F("received_at")), name="quote_not_from_the_future"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.price} at {self.as_of:%Y-%m-%d %H:%M:%S}"
