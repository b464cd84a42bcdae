"""Plans: rate limits of the API."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.conf import BUILT_IN_PLANS


class Plan(models.Model):
    """Rate limits for each API key, and for each user's tokens and sessions together; null means no limit.

    The name appears in the header RateLimit-Policy.
    """

    name = models.CharField(
        primary_key=True,
        max_length=30,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9-]*\Z", "Use lowercase letters, digits and hyphens; start with a letter.")
        ],
    )
    per_minute = models.PositiveIntegerField("calls per minute", null=True, blank=True, help_text="Empty: no limit.")
    per_day = models.PositiveIntegerField("calls per day", null=True, blank=True, help_text="Empty: no limit.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(per_minute__isnull=True) | Q(per_minute__gte=1))
                & (Q(per_day__isnull=True) | Q(per_day__gte=1)),
                name="plan_limits_allow_a_call",
            )
        ]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_built_in(self) -> bool:
        """Whether the platform requires this plan."""
        return self.name in {name for name, _, _ in BUILT_IN_PLANS}
