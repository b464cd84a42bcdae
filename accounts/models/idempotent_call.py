"""A call that may be sent twice and must happen once."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class IdempotentCall(models.Model):
    """The key a caller gave a call, what the call was, and its answer once there is one.

    `caller` names the bucket that the caller's calls are counted in, `fingerprint` the method, address and body.
    """

    caller = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    begun_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField("status of the answer", null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotent_call_once"),
            models.CheckConstraint(
                condition=Q(status__isnull=True, body__isnull=True) | Q(status__isnull=False, body__isnull=False),
                name="idempotent_call_answered_whole",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["begun_at"], name="idempotent_call_by_age")]

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"
