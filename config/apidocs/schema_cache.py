"""Cached OpenAPI schema: generating it takes a second, and anyone may request it."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator


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
