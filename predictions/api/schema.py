"""OpenAPI description of the Django view `predict`."""

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

# Symbols are accepted in either case.
SYMBOL_TEXT = {
    "type": "string",
    "maxLength": MAX_SYMBOL_LENGTH,
    "pattern": f"^{SYMBOL.pattern.replace('A-Z', 'A-Za-z')}$",
}


class PredictDocument(APIView):
    """Documents `predict` in the schema; it never runs."""

    required_scope = "read"

    @extend_schema(
        operation_id="predict",
        tags=["forecasts"],
        summary="Get the latest forecast of a stock",
        description="Returns the forecast of the current model version. `confidence` is the probability of the "
        "predicted direction.",
        parameters=[
            OpenApiParameter(
                "symbol",
                SYMBOL_TEXT,
                required=True,
                description="Symbol, such as AAPL or BRK.B.",
                examples=[OpenApiExample("Apple", value="AAPL")],
            ),
            OpenApiParameter(
                "horizon",
                OpenApiTypes.INT,
                enum=HORIZONS,
                default=DEFAULT_HORIZON,
                description="Horizon in trading days.",
            ),
            *RESPONSE_HEADERS,
        ],
        responses={200: ForecastOut, 304: NOT_MODIFIED, **problem_responses(400, 404, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        """Never called."""
        raise NotImplementedError


# The schema generator treats a function with an attribute `cls` as an API view.
predict.cls = PredictDocument  # type: ignore[attr-defined]  # read by drf-spectacular
predict.initkwargs = {}  # type: ignore[attr-defined]  # read by drf-spectacular

documented_predict = predict
