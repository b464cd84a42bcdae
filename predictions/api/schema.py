"""How the plain read view enters the OpenAPI schema."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.schema import NOT_MODIFIED, RESPONSE_HEADERS, problem_responses
from marketdata.selectors import MAX_SYMBOL_LENGTH, SYMBOL
from predictions.api.predict import predict
from predictions.api.serializers import ForecastOut
from predictions.conf import DEFAULT_HORIZON, HORIZONS

# Symbols are asked for in either case.
SYMBOL_TEXT = {
    "type": "string",
    "maxLength": MAX_SYMBOL_LENGTH,
    "pattern": f"^{SYMBOL.pattern.replace('A-Z', 'A-Za-z')}$",
}


class PredictDocument(APIView):
    """Describes `predict` to the schema; it never runs."""

    required_scope = "read"

    @extend_schema(
        operation_id="predict",
        tags=["forecasts"],
        summary="The newest forecast for one stock",
        description="By the model version that serves. Every answer counts against the limit and says what is left.",
        parameters=[
            OpenApiParameter(
                "symbol",
                SYMBOL_TEXT,
                required=True,
                description="Such as AAPL or BRK.B.",
                examples=[OpenApiExample("Apple", value="AAPL")],
            ),
            OpenApiParameter(
                "horizon", OpenApiTypes.INT, enum=HORIZONS, default=DEFAULT_HORIZON, description="Sessions ahead."
            ),
            *RESPONSE_HEADERS,
        ],
        responses={200: ForecastOut, 304: NOT_MODIFIED, **problem_responses(400, 404, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        """Only described here."""
        raise NotImplementedError


# The schema generator takes for an API view whatever function names a class of the framework.
predict.cls = PredictDocument  # type: ignore[attr-defined]  # read by drf-spectacular
predict.initkwargs = {}  # type: ignore[attr-defined]  # read by drf-spectacular

documented_predict = predict
