"""Stored responses of calls with an Idempotency-Key."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class IdempotentCall(models.Model):
    """One idempotency key of one caller, with the response once there is one.

    `caller` is the caller's rate-limit bucket, `fingerprint` a digest of method, path and body.
    """

    caller = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    begun_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField("response status", null=True)
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
