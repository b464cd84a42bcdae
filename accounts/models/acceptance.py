"""Accepted terms and disclaimers."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class Acceptance(models.Model):
    """One user's acceptance of one version of one document; `network` is the client's /24 or /48."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="acceptances")
    document = models.CharField(max_length=16)
    version = models.CharField(max_length=10)
    network = models.CharField(max_length=43, blank=True)
    accepted_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-accepted_at", "document"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "document", "version"], name="acceptance_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.document} of {self.version}"
