"""Plans: how often their people may call."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.conf import BUILT_IN_PLANS


class Plan(models.Model):
    """Limits of calls to the API, for each key and for each person's own calls; an empty limit is none.

    The name stands in the header RateLimit-Policy.
    """

    name = models.CharField(
        primary_key=True,
        max_length=30,
        validators=[RegexValidator(r"^[a-z][a-z0-9-]*\Z", "Small letters, digits and hyphens, a letter first.")],
    )
    per_minute = models.PositiveIntegerField("calls a minute", null=True, blank=True, help_text="Empty: no limit.")
    per_day = models.PositiveIntegerField("calls a day", null=True, blank=True, help_text="Empty: no limit.")

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
        """Whether the platform itself counts on this plan being there."""
        return self.name in {name for name, _, _ in BUILT_IN_PLANS}
