"""What is known of how much a person calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Sum

from accounts.models import UsageDay, User


@dataclass(frozen=True, slots=True)
class Used:
    """Calls of one day by one key (none: by tokens and pages), and how many the plan leaves; None is no limit."""

    key: str | None
    name: str
    calls: int
    left: int | None


def usage_rows(user: User, *, today: date, days: int) -> Sequence[UsageDay]:
    """The last `days` days, newest first, by endpoint and key."""
    since = today - timedelta(days=days - 1)
    return list(UsageDay.objects.filter(user=user, day__gte=since, day__lte=today).select_related("key"))


def used_on(user: User, day: date) -> list[Used]:
    """What was used of the day's limit, which each key has for itself."""
    rows = UsageDay.objects.filter(user=user, day=day).values("key__prefix", "key__name").order_by("key")
    limit = user.plan.per_day
    return [
        Used(
            row["key__prefix"],
            row["key__name"] or "",
            row["sum"],
            None if limit is None else max(0, limit - row["sum"]),
        )
        for row in rows.annotate(sum=Sum("calls"))
    ]
