"""`GET /api/v1/providers`: how the sources of prices and news are, for staff."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.base import ApiView
from marketdata.api.schema import problem_responses
from marketdata.models import ProviderHealth
from marketdata.selectors import provider_healths


@extend_schema_serializer(component_name="Provider")
class ProviderOut(serializers.ModelSerializer):
    """One source: what it is asked for, its state, its failures of the day by kind, what is left of its budget."""

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


@extend_schema_serializer(component_name="Providers")
class ProvidersOut(serializers.Serializer):
    """The sources in the order in which they are asked."""

    providers = ProviderOut(many=True)


class Providers(ApiView):
    """The sources of market data."""

    required_scope = "read"
    staff_only = True

    @extend_schema(
        operation_id="providers",
        tags=["market data"],
        summary="How the sources of market data are",
        description="For staff. As the last probe found them; a source without its key is `off`, and `runs_out_at` "
        "goes by the calls of the last hour.",
        responses={200: ProvidersOut, **problem_responses(401, 403, 429)},
    )
    def get(self, request: Request) -> Response:
        """Every source of this installation."""
        return Response(ProvidersOut({"providers": provider_healths()}).data)
