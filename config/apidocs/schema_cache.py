"""The schema, made once in each process: making it takes a second, and anybody may ask for it."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator


@lru_cache(maxsize=1)
def full_schema() -> dict[str, Any]:
    """Every call of the API, whoever asks; not to be changed."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


class CachedSchemaGenerator(SchemaGenerator):
    """What the served schema and the pages about it are made with."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        """The kept schema, which is the same for everybody, and where the calls that it tells of are answered."""
        site = "/" if request is None else request.build_absolute_uri("/").rstrip("/")
        return {**full_schema(), "servers": [{"url": site}]}
