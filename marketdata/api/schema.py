"""Shared OpenAPI parts: problem responses and common response headers."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

PROBLEM_TYPE = "application/problem+json"
RATE_LIMITED_STATUSES = ["200", "304", "400", "404", "429"]


class ProblemOut(serializers.Serializer):
    """Problem details (RFC 9457), with extra fields such as `symbol` and `suggestions`."""

    type = serializers.CharField(help_text="URL that identifies and explains the kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    request_id = serializers.CharField(
        required=False, help_text="ID of the request in the logs; absent in problems nested in a larger response."
    )
    errors = serializers.DictField(  # type: ignore[assignment]  # shadows an attribute that output serializers do not use
        required=False, help_text="Messages by field, for `invalid-request`."
    )


def response_header(name: str, description: str, statuses: list[str]) -> OpenApiParameter:
    """Describe a header of the responses with these statuses."""
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, response=statuses)


RESPONSE_HEADERS = [
    response_header("ETag", "Identifies this response; send it as If-None-Match to revalidate.", ["200", "304"]),
    response_header("RateLimit-Policy", "The limit and its window in seconds.", RATE_LIMITED_STATUSES),
    response_header("RateLimit", "Remaining requests and seconds until the window resets.", RATE_LIMITED_STATUSES),
    response_header("Retry-After", "Seconds to wait before the next request.", ["429", "503"]),
]
NOT_MODIFIED = OpenApiResponse(description="Not modified: the cached response is current.")


def problem_responses(*statuses: int) -> dict[tuple[int, str], type[ProblemOut]]:
    """Map statuses to problem responses."""
    return {(status, PROBLEM_TYPE): ProblemOut for status in statuses}
