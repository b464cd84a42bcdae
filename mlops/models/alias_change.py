"""History of the champion alias."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class AliasChange(models.Model):
    """A period in which a version carried an alias; the row without an end is the current one."""

    alias = models.CharField(max_length=16)
    version = models.ForeignKey("mlops.ModelVersion", on_delete=models.PROTECT, related_name="alias_changes")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.TextField()

    class Meta:
        ordering: ClassVar = ["-starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alias"], condition=Q(ends_at=None), name="alias_change_one_open"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=models.F("starts_at")), name="alias_change_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alias} = {self.version} from {self.starts_at:%Y-%m-%d %H:%M}"
