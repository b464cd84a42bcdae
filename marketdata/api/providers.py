"""`GET /api/v1/providers`: health of price and news sources, for staff."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.base import ApiView
from marketdata.api.schema import problem_responses
from marketdata.models import ProviderHealth
from marketdata.selectors import provider_healths


class ProviderOut(serializers.ModelSerializer):
    """One source: uses, state, today's failures by kind, remaining budget."""

    uses = serializers.ListField(child=serializers.ChoiceField(choices=["prices", "news"]))
    error_kinds = serializers.DictField(child=serializers.IntegerField(min_value=0))

    class Meta:
        model = ProviderHealth
        fields: ClassVar = [
            "provider",
            "uses",
            "state",
            "detail",
            "checked_at",
            "latency_ms",
            "last_success_at",
            "last_failure_at",
            "error_kinds",
            "calls_today",
            "calls_left",
            "runs_out_at",
            "paused_until",
        ]


class ProvidersOut(serializers.Serializer):
    """Sources in the order they are tried."""

    providers = ProviderOut(many=True)


class Providers(ApiView):
    """Health of market data sources."""

    required_scope = "read"
    staff_only = True

    @extend_schema(
        operation_id="providers",
        tags=["market data"],
        summary="Health of market data sources",
        description="Staff only. State at the last check; a source without an API key is `off`, and `runs_out_at` "
        "extrapolates the calls of the last hour.",
        responses={200: ProvidersOut, **problem_responses(401, 403, 429)},
    )
    def get(self, request: Request) -> Response:
        """Return every configured source."""
        return Response(ProvidersOut({"providers": provider_healths()}).data)
