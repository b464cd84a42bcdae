"""Generation of the OpenAPI schema; it is cached, because it takes a second and anyone may request it."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from rest_framework.serializers import Serializer


class NamedSchema(AutoSchema):
    """Names the component of a response `XOut` X."""

    def get_serializer_name(self, serializer: Serializer, direction: str) -> str:
        return type(serializer).__name__.removesuffix("Out")


@lru_cache(maxsize=1)
def full_schema() -> dict[str, Any]:
    """Return the schema of every operation; callers must not modify it."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return schema


class CachedSchemaGenerator(SchemaGenerator):
    """Generator of the served schema and its pages."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        """Return the cached schema with this site as its server."""
        site = "/" if request is None else request.build_absolute_uri("/").rstrip("/")
        return {**full_schema(), "servers": [{"url": site}]}
