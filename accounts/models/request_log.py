"""Log of API requests, deleted after the retention period."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from accounts.models.api_key import ApiKey


class RequestLog(models.Model):
    """One API request, without query and body; `network` is the client's /24 or /48."""

    at = models.DateTimeField(db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
    )
    key = models.ForeignKey(
        ApiKey, on_delete=models.SET_NULL, null=True, blank=True, db_constraint=False, db_index=False, related_name="+"
    )
    method = models.CharField(max_length=8)
    endpoint = models.CharField(max_length=100)
    path = models.CharField(max_length=200)
    status = models.PositiveSmallIntegerField()
    duration_ms = models.FloatField()
    network = models.CharField(max_length=43, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "request"
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"
