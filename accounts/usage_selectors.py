"""Queries for API usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Sum

from accounts.limits import key_bucket, used_today, user_bucket
from accounts.models import UsageDay, User


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """Calls of one day by one key (None: website and tokens), and how many are left (None: no limit)."""

    key: str | None
    name: str
    calls: int
    left: int | None


def usage_rows(user: User, *, today: date, days: int) -> Sequence[UsageDay]:
    """Return the usage of the last `days` days by endpoint and key, newest first."""
    since = today - timedelta(days=days - 1)
    return list(UsageDay.objects.filter(user=user, day__gte=since, day__lte=today).select_related("key"))


def usage_on(user: User, day: date) -> list[KeyUsage]:
    """Return the calls of this day by key, and what is left of each key's daily limit.

    The rest comes from the rate limiter, which counts a batch by its symbols and skips refused calls. Without Redis
    it is the limit less the number of calls.
    """
    by_key = UsageDay.objects.filter(user=user, day=day).values("key", "key__prefix", "key__name").order_by("key")
    rows = list(by_key.annotate(sum=Sum("calls")))
    limit = user.plan.per_day
    if limit is None:
        return [KeyUsage(row["key__prefix"], row["key__name"] or "", row["sum"], None) for row in rows]
    counted = used_today([user_bucket(user.pk) if row["key"] is None else key_bucket(row["key"]) for row in rows])
    spent = [row["sum"] for row in rows] if counted is None else counted
    return [
        KeyUsage(row["key__prefix"], row["key__name"] or "", row["sum"], max(0, limit - used))
        for row, used in zip(rows, spent, strict=True)
    ]
