"""Daily API usage of each user."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from accounts.models.api_key import ApiKey


class UsageDay(models.Model):
    """Calls of one endpoint on one UTC day by one key, or (key is null) by the user's tokens and website together."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="usage", db_index=False)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, blank=True, related_name="usage")
    day = models.DateField()
    endpoint = models.CharField(max_length=100)
    calls = models.PositiveBigIntegerField()
    errors = models.PositiveBigIntegerField(help_text="Responses with status 400 or above.")

    class Meta:
        verbose_name_plural = "usage by day"
        ordering: ClassVar = ["-day", "endpoint"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "day", "endpoint", "key"], nulls_distinct=False, name="usage_day_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} on {self.day}: {self.calls}"
