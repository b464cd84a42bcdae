"""How bodies are read."""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

# JSON travels as UTF-8 (RFC 8259), of which ASCII is a part.
CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
LONGEST_NAME = 60


class JsonParser(JSONParser):
    """JSON that means one thing only: in UTF-8, not packed, no field twice, not nested too deeply."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value that stands in the body. Raises ParseError, or UnsupportedMediaType."""
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
        raise UnsupportedMediaType(media_type, f"Send the JSON as UTF-8; charset {charset[:LONGEST_NAME]} is not read.")
    packed = context["request"].META.get("HTTP_CONTENT_ENCODING", "") if "request" in context else ""
    if packed.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            media_type, f"Send the body as it is; it is not unpacked from {packed[:LONGEST_NAME]}."
        )


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The fields; raises ParseError for a name that comes twice, of which readers keep one or the other."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ParseError(f"The JSON has the field {twice[:LONGEST_NAME]!r} more than once.")
    return fields
