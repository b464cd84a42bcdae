"""OpenAPI description of the account operations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from marketdata.api.schema import RESPONSE_HEADERS, problem_responses

F = TypeVar("F", bound=Callable[..., Any])
# A serializer with its example.
Body = tuple[Any, Any]


def account_operation(
    operation_id: str,
    summary: str,
    description: str | None = None,
    *,
    request: Body | None = None,
    query: Any = None,
    responses: Mapping[int, Body | str],
    problems: Sequence[int],
) -> Callable[[F], F]:
    """Describe an operation with the tag and headers shared by all of them; a response of type str has no body."""
    examples = [] if request is None else [OpenApiExample("request", value=request[1], request_only=True)]
    described: dict[int, Any] = {}
    for status, response in responses.items():
        if isinstance(response, str):
            described[status] = OpenApiResponse(description=response)
            continue
        described[status], value = response
        examples.append(OpenApiExample("response", value=value, response_only=True, status_codes=[str(status)]))
    return extend_schema(
        operation_id=operation_id,
        tags=["accounts"],
        summary=summary,
        description=description,
        request=None if request is None else request[0],
        parameters=([] if query is None else [query]) + list(RESPONSE_HEADERS[1:]),
        responses={**described, **problem_responses(*problems)},
        examples=examples,
    )
