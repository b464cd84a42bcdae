"""How the plain read view enters the OpenAPI schema."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.documents import ProblemOut
from marketdata.selectors import LONGEST_SYMBOL, SYMBOL
from predictions.api.predict import predict
from predictions.api.serializers import ForecastOut
from predictions.conf import DEFAULT_HORIZON, HORIZONS

PROBLEM_TYPE = "application/problem+json"
# Symbols are asked for in either case.
SYMBOL_TEXT = {"type": "string", "maxLength": LONGEST_SYMBOL, "pattern": f"^{SYMBOL.pattern.replace('A-Z', 'A-Za-z')}$"}


def _header(name: str, description: str, statuses: list[str]) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, response=statuses)


class PredictDocument(APIView):
    """Describes `predict` to the schema; it never runs."""

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
            _header("ETag", "Names this answer; send it back as If-None-Match.", ["200", "304"]),
            _header("RateLimit-Policy", "The limit and its window in seconds.", ["200", "304", "400", "404", "429"]),
            _header(
                "RateLimit", "Calls left and seconds until the window closes.", ["200", "304", "400", "404", "429"]
            ),
            _header("Retry-After", "Seconds to wait.", ["429", "503"]),
        ],
        responses={
            200: ForecastOut,
            304: OpenApiResponse(description="The answer the caller holds is still the newest."),
            (400, PROBLEM_TYPE): ProblemOut,
            (404, PROBLEM_TYPE): ProblemOut,
            (429, PROBLEM_TYPE): ProblemOut,
            (503, PROBLEM_TYPE): ProblemOut,
        },
    )
    def get(self, request: Request) -> Response:
        """Only described here."""
        raise NotImplementedError


# The schema generator takes for an API view whatever function names a class of the framework.
predict.cls = PredictDocument  # type: ignore[attr-defined]  # read by drf-spectacular
predict.initkwargs = {}  # type: ignore[attr-defined]  # read by drf-spectacular

documented_predict = predict
