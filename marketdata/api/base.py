"""How every call reads what it is asked: only what the schema names, so that a name mistyped loses nothing."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

MOST_NAMED = 10
LONGEST_NAME = 60
# Where there are several forms of an answer, the framework chooses by this one.
FORMAT_PARAMETER = "format"


class ApiView(APIView):
    """A call of the API; `query_serializer` holds all that its GET may be asked with."""

    query_serializer: ClassVar[type[serializers.Serializer] | None] = None
    # What the framework would answer to OPTIONS by itself stands in no schema.
    http_method_names = ("get", "head", "post", "put", "patch", "delete")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who asks and how often, then whether every name in the query is known. Raises ValidationError."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return
        forms = [FORMAT_PARAMETER] if len(self.renderer_classes) > 1 else []
        is_read = request.method in ("GET", "HEAD") and self.query_serializer is not None
        reject_unknown(request.query_params, [*forms, *(cached_fields(self.query_serializer) if is_read else ())])

    def validated_query(self, request: Request) -> dict[str, Any]:
        """What the query says, by `query_serializer`. Raises ValidationError."""
        assert self.query_serializer is not None
        return validate_query(self.query_serializer, request.query_params)


class RequestBody(serializers.Serializer):
    """A JSON object without fields that nobody reads."""

    def to_internal_value(self, data: Any) -> Any:
        """The fields; raises ValidationError for each that is wrong, and for each that is unknown."""
        unknown = _unknown(data, self.fields, "field") if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            wrong: Any = error.detail
            raise serializers.ValidationError({**wrong, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return values


def reject_unknown(parameters: QueryDict, known: Collection[str]) -> None:
    """Raise ValidationError for names in the query that the call does not know."""
    unknown = _unknown(parameters, known, "parameter")
    if unknown:
        raise serializers.ValidationError(unknown)


def validate_query(kind: type[serializers.Serializer], parameters: QueryDict) -> dict[str, Any]:
    """The query's parameters; raises ValidationError, also for one that is given twice."""
    # A plain mapping: the framework takes an empty word of a query for one that is missing.
    read = kind(data=parameters.dict())
    # Each form would copy its fields, which keep nothing about a call.
    read.fields = cached_fields(kind)
    repeated = {
        name: [f"Say it once, not {len(values)} times."]
        for name, values in parameters.lists()
        if len(values) > 1 and name in read.fields
    }
    if repeated:
        raise serializers.ValidationError(repeated)
    read.is_valid(raise_exception=True)
    values: dict[str, Any] = read.validated_data
    return values


@cache
def cached_fields(kind: type[serializers.Serializer]) -> Any:
    """The fields of a form by name."""
    return kind().fields


def _unknown(names: Collection[str], known: Collection[str], what: str) -> dict[str, list[str]]:
    found = sorted({name for name in names if name not in known})[:MOST_NAMED]
    there_are = f"There are: {', '.join(known)}." if known else "There is none."
    return {_shown(name): [f"There is no such {what}. {there_are}"] for name in found}


def _shown(name: str) -> str:
    """Half of a surrogate pair, which JSON can spell, cannot be written in an answer."""
    return name[:LONGEST_NAME].encode(errors="replace").decode()
