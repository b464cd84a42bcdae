"""Request body parsers."""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

# JSON is UTF-8 (RFC 8259), of which ASCII is a subset.
CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
MAX_NAME_CHARACTERS = 60


class JsonParser(JSONParser):
    """Strict JSON parser: UTF-8, uncompressed, without repeated fields or deep nesting."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the parsed body. Raises ParseError, UnsupportedMediaType."""
        _require_plain_text(media_type or self.media_type, parser_context or {})
        try:
            return json.loads(stream.read().decode(), parse_constant=strict_constant, object_pairs_hook=_object)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error


def _require_plain_text(media_type: str, context: Mapping[str, Any]) -> None:
    charset = parse_header_parameters(media_type)[1].get("charset", "")
    if charset.lower() not in CHARSETS:
        detail = f"Send UTF-8 JSON; the charset {charset[:MAX_NAME_CHARACTERS]} is not supported."
        raise UnsupportedMediaType(media_type, detail)
    encoding = context["request"].META.get("HTTP_CONTENT_ENCODING", "") if "request" in context else ""
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            media_type, f"Send an uncompressed body; the encoding {encoding[:MAX_NAME_CHARACTERS]} is not supported."
        )


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields. Raises ParseError for a repeated field, as parsers disagree on its value."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ParseError(f"The JSON has the field {repeated[:MAX_NAME_CHARACTERS]!r} more than once.")
    return fields
