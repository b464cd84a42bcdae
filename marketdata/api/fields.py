"""Strict serializer fields: accept exactly what the schema describes."""

import re
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator, RegexValidator
from rest_framework import serializers

INTEGER = re.compile(r"-?[0-9]{1,19}")
# SINGLE_LINE needs at least one character that is neither whitespace nor a control character.
WITHOUT_NUL = r"^[^\u0000]*$"
SINGLE_LINE = r"^[^\u0000-\u001f]*[^\s\u0000-\u001f][^\u0000-\u001f]*$"


class StrictInteger(serializers.IntegerField):
    """Integer in ASCII digits: not `5.0`, not `1_000`, no digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        """Return the integer; raises ValidationError."""
        if isinstance(data, bool) or not INTEGER.fullmatch(str(data)):
            self.fail("invalid")
        return int(data)


class StrictBoolean(serializers.BooleanField):
    """`true` or `false` as in JSON."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the flag; raises ValidationError."""
        if data not in (True, False, "true", "false") or isinstance(data, int) is not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data in (True, "true")


class StrictText(serializers.CharField):
    """Text, including surrounding whitespace."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        # DRF's own NUL check does not appear in the schema; a regex does.
        others = [one for one in self.validators if not isinstance(one, ProhibitNullCharactersValidator)]
        self.validators = [*others, RegexValidator(WITHOUT_NUL, "Null characters are not allowed.")]

    def to_internal_value(self, data: Any) -> str:
        """Return the text; raises ValidationError, also for a number."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class SingleLineText(serializers.RegexField):
    """Non-blank text on one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SINGLE_LINE, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the stripped text; raises ValidationError, also for a number."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))
