"""All final bars of an instrument in one binary value, for reading hundreds of histories at once."""

from typing import ClassVar

from django.db import models


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
