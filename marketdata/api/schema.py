"""What the schema says about every call of the API: problems, limits, tags."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers

PROBLEM_TYPE = "application/problem+json"
COUNTED = ["200", "304", "400", "404", "429"]


@extend_schema_serializer(component_name="Problem")
class ProblemOut(serializers.Serializer):
    """What went wrong (RFC 9457), with further facts such as `symbol` and `suggestions`."""

    type = serializers.CharField(help_text="Where this kind of problem is explained; go by it.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    request_id = serializers.CharField(
        required=False, help_text="Names the call in the log; a problem inside a larger answer has none of its own."
    )
    errors = serializers.DictField(  # type: ignore[assignment]  # shadows what only forms use
        required=False, help_text="What is wrong with each field, for `invalid-request`."
    )


def response_header(name: str, description: str, statuses: list[str]) -> OpenApiParameter:
    """A header of the answers with these statuses."""
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, response=statuses)


RESPONSE_HEADERS = [
    response_header("ETag", "Names this answer; send it back as If-None-Match.", ["200", "304"]),
    response_header("RateLimit-Policy", "The limit and its window in seconds.", COUNTED),
    response_header("RateLimit", "Calls left and seconds until the window closes.", COUNTED),
    response_header("Retry-After", "Seconds to wait.", ["429", "503"]),
]
NOT_MODIFIED = OpenApiResponse(description="The answer the caller holds is still the newest.")


def problem_responses(*statuses: int) -> dict[tuple[int, str], type[ProblemOut]]:
    """The problems that a call may answer with."""
    return {(status, PROBLEM_TYPE): ProblemOut for status in statuses}
