"""`GET /usage`: what was called, against what the plan allows."""

from typing import cast

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.models import UsageDay, User
from accounts.usage_selectors import usage_rows, used_on
from accounts.wall_clock import utc_now
from marketdata.api.base import ApiView
from marketdata.api.schema import RESPONSE_HEADERS, problem_responses

LONGEST_DAYS = 90


class UsageIn(serializers.Serializer):
    """How far back."""

    days = serializers.IntegerField(min_value=1, max_value=LONGEST_DAYS, default=30, help_text="Including today.")


class UsedOut(serializers.Serializer):
    """Calls of today by one key (null: by tokens and pages), and how many are left; null is no limit."""

    key = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    calls = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)


class UsageDayOut(serializers.ModelSerializer):
    """Calls of one endpoint on one UTC day by one key."""

    key = serializers.CharField(source="key.prefix", default=None, allow_null=True)

    class Meta:
        model = UsageDay
        fields = ("day", "endpoint", "key", "calls", "errors")


@extend_schema_serializer(component_name="Usage")
class UsageOut(serializers.Serializer):
    """The plan's limits, which each key has for itself, and the calls; counts are a few seconds old at most."""

    plan = serializers.CharField()
    per_minute = serializers.IntegerField(allow_null=True)
    per_day = serializers.IntegerField(allow_null=True)
    today = UsedOut(many=True)
    days = UsageDayOut(many=True)


class UsageView(ApiView):
    """How much the caller's account calls."""

    query_serializer = UsageIn
    required_scope = "read"
    needs_account = True

    @extend_schema(
        operation_id="usage",
        tags=["accounts"],
        summary="Your calls against your limits",
        parameters=[query_serializer, *RESPONSE_HEADERS[1:]],
        responses={200: UsageOut, **problem_responses(400, 401, 403, 429, 503)},
        examples=[OpenApiExample("Ada", value=examples.USAGE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """Today by key, and the last days by endpoint and key."""
        days, user, today = self.validated_query(request)["days"], cast(User, request.user), utc_now().date()
        body = {
            "plan": user.plan_id,
            "per_minute": user.plan.per_minute,
            "per_day": user.plan.per_day,
            "today": used_on(user, today),
            "days": usage_rows(user, today=today, days=days),
        }
        return Response(UsageOut(body).data, headers={"Cache-Control": "no-store"})
