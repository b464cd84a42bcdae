"""All final bars of one instrument in one value, so that hundreds of histories are read at once."""

from typing import ClassVar

from django.db import models


class BarBlock(models.Model):
    """Packed float64 rows, oldest first, and a checksum of each segment of them (see `marketdata.bar_blocks`).

    The database itself deletes the block of an instrument whenever one of its bars changes; whoever changed them writes
    the new block in the same transaction. A block that is missing costs time and nothing else: rows are read then.
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
