"""Base views and strict query parsing of the API: unknown and repeated parameters are errors."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

MAX_REPORTED_NAMES = 10
MAX_REPORTED_NAME_LENGTH = 60
# DRF selects the renderer by this parameter where a view has several.
FORMAT_PARAMETER = "format"


class ApiView(APIView):
    """API view whose GET accepts only the parameters of `query_serializer`."""

    query_serializer: ClassVar[type[serializers.Serializer] | None] = None
    # DRF's own answer to OPTIONS is not part of the schema.
    http_method_names = ("get", "head", "post", "put", "patch", "delete")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Run authentication and throttling, then reject unknown query parameters. Raises ValidationError."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return
        formats = [FORMAT_PARAMETER] if len(self.renderer_classes) > 1 else []
        is_read = request.method in ("GET", "HEAD") and self.query_serializer is not None
        reject_unknown(request.query_params, [*formats, *(cached_fields(self.query_serializer) if is_read else ())])

    def validated_query(self, request: Request) -> dict[str, Any]:
        """Validate the query with `query_serializer`. Raises ValidationError."""
        assert self.query_serializer is not None
        return validate_query(self.query_serializer, request.query_params)


@method_decorator(conditional_page, name="dispatch")
class ReadView(ApiView):
    """Read-only API view with ETags, so that clients revalidate their cached responses."""

    required_scope = "read"

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        # Errors are not cacheable and get no ETag.
        final["Cache-Control"] = "private, no-cache" if final.status_code < 400 else "no-store"
        return final


class RequestBody(serializers.Serializer):
    """JSON object that rejects unknown fields."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the fields; raises ValidationError for every invalid and every unknown one."""
        unknown = _unknown(data, self.fields, "field") if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            invalid: Any = error.detail
            raise serializers.ValidationError({**invalid, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return values


def reject_unknown(parameters: QueryDict, known: Collection[str]) -> None:
    """Raise ValidationError for query parameters that are not `known`."""
    unknown = _unknown(parameters, known, "parameter")
    if unknown:
        raise serializers.ValidationError(unknown)


def validate_query(kind: type[serializers.Serializer], parameters: QueryDict) -> dict[str, Any]:
    """Validate query parameters; raises ValidationError, also for repeated ones."""
    # DRF treats an empty string in a QueryDict as missing; in a plain dict it is a value.
    query = kind(data=parameters.dict())
    # Building the fields per request is slow, and they hold no request state.
    query.fields = cached_fields(kind)
    repeated = {
        name: [f"`{name}` may appear only once."]
        for name, values in parameters.lists()
        if len(values) > 1 and name in query.fields
    }
    if repeated:
        raise serializers.ValidationError(repeated)
    query.is_valid(raise_exception=True)
    values: dict[str, Any] = query.validated_data
    return values


@cache
def cached_fields(kind: type[serializers.Serializer]) -> Any:
    """Return the fields of a serializer class by name."""
    return kind().fields


def _unknown(names: Collection[str], known: Collection[str], what: str) -> dict[str, list[str]]:
    found = sorted({name for name in names if name not in known})[:MAX_REPORTED_NAMES]
    allowed = f"Allowed: {', '.join(known)}." if known else f"No {what}s are allowed."
    return {_printable(name): [f"Unknown {what}. {allowed}"] for name in found}


def _printable(name: str) -> str:
    """Shorten a name and replace lone surrogates, which JSON can express and UTF-8 cannot."""
    return name[:MAX_REPORTED_NAME_LENGTH].encode(errors="replace").decode()
