"""`GET /usage`: calls and the limits of the plan."""

from typing import cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.schema import account_operation
from accounts.models import UsageDay, User
from accounts.usage_selectors import calls_left, usage_on, usage_rows
from accounts.wall_clock import utc_now
from marketdata.api.base import ApiView

MAX_DAYS = 90


class UsageIn(serializers.Serializer):
    """Query of the usage."""

    days = serializers.IntegerField(
        min_value=1, max_value=MAX_DAYS, default=30, help_text="Number of days, including today."
    )


class KeyUsageOut(serializers.Serializer):
    """Today's calls by one key (null: website and tokens)."""

    key = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    calls = serializers.IntegerField()


class UsageDayOut(serializers.ModelSerializer):
    """Calls of one endpoint on one UTC day by one key."""

    key = serializers.CharField(source="key.prefix", default=None, allow_null=True)

    class Meta:
        model = UsageDay
        fields = ("day", "endpoint", "key", "calls", "errors")


class UsageOut(serializers.Serializer):
    """The plan's limits, which all keys and tokens of the account share, and the calls, which lag by a few seconds."""

    plan = serializers.CharField()
    per_minute = serializers.IntegerField(allow_null=True)
    per_day = serializers.IntegerField(allow_null=True)
    left_today = serializers.IntegerField(allow_null=True, help_text="Calls left today (null: no limit).")
    today = KeyUsageOut(many=True)
    days = UsageDayOut(many=True)


class UsageView(ApiView):
    """Report the usage of the caller's account."""

    query_serializer = UsageIn
    required_scope = "read"
    needs_account = True

    @account_operation(
        "usage",
        "Get your API usage",
        "Returns today's calls by key, and the calls of the last days by endpoint and key.",
        query=UsageIn,
        responses={200: (UsageOut, examples.USAGE)},
        problems=(400, 401, 403, 429, 503),
    )
    def get(self, request: Request) -> Response:
        """Return usage by key and by day."""
        days, user, today = self.validated_query(request)["days"], cast(User, request.user), utc_now().date()
        usage = usage_on(user, today)
        body = {
            "plan": user.plan_id,
            "per_minute": user.plan.per_minute,
            "per_day": user.plan.per_day,
            "left_today": calls_left(user, usage),
            "today": usage,
            "days": usage_rows(user, today=today, days=days),
        }
        return Response(UsageOut(body).data, headers={"Cache-Control": "no-store"})
