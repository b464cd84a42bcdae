"""What is known of how much a person calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Sum

from accounts.limits import key_bucket, used_today, user_bucket
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
    """What was called on this day, and what is left now of the day's limit, which each key has for itself.

    What is left is what the limiter says, which counts a batch by its symbols and a refused call not at all; while
    it cannot be asked each call stands for one.
    """
    by_key = UsageDay.objects.filter(user=user, day=day).values("key", "key__prefix", "key__name").order_by("key")
    rows = list(by_key.annotate(sum=Sum("calls")))
    limit = user.plan.per_day
    if limit is None:
        return [Used(row["key__prefix"], row["key__name"] or "", row["sum"], None) for row in rows]
    taken = used_today([user_bucket(user.pk) if row["key"] is None else key_bucket(row["key"]) for row in rows])
    spent = [row["sum"] for row in rows] if taken is None else taken
    return [
        Used(row["key__prefix"], row["key__name"] or "", row["sum"], max(0, limit - gone))
        for row, gone in zip(rows, spent, strict=True)
    ]
