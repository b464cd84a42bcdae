"""Public keys that verify the signatures of ledger heads."""

from typing import ClassVar

from django.db import models


class LedgerKey(models.Model):
    """A public key; keys stay published after they were replaced.

    The key that a new one replaces signs it: `endorsement` is that signature, and `endorsed_by` the id of its key.
    """

    key_id = models.CharField(max_length=16, unique=True)
    public_key = models.CharField("32 bytes in hexadecimal digits", max_length=64)
    added_at = models.DateTimeField()
    endorsed_by = models.CharField(max_length=16, blank=True)
    endorsement = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.key_id
