"""Queries for API usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Sum

from accounts.limits import used_today, user_bucket
from accounts.models import UsageDay, User


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """Calls of one day by one key (None: website and tokens)."""

    key: str | None
    name: str
    calls: int


def usage_rows(user: User, *, today: date, days: int) -> Sequence[UsageDay]:
    """Return the usage of the last `days` days by endpoint and key, newest first."""
    since = today - timedelta(days=days - 1)
    return list(UsageDay.objects.filter(user=user, day__gte=since, day__lte=today).select_related("key"))


def usage_on(user: User, day: date) -> list[KeyUsage]:
    """Return the calls of this day by key."""
    by_key = UsageDay.objects.filter(user=user, day=day).values("key", "key__prefix", "key__name").order_by("key")
    rows = by_key.annotate(sum=Sum("calls"))
    return [KeyUsage(row["key__prefix"], row["key__name"] or "", row["sum"]) for row in rows]


def calls_left(user: User, usage: Sequence[KeyUsage]) -> int | None:
    """Return what is left of the account's daily limit after this usage; None without a limit.

    It comes from the rate limiter, which counts a batch by its symbols and skips calls that it refused. Without Redis
    it is the limit less the number of calls.
    """
    if user.plan.per_day is None:
        return None
    counted = used_today([user_bucket(user.pk)])
    used = sum(row.calls for row in usage) if counted is None else counted[0]
    return max(0, user.plan.per_day - used)
