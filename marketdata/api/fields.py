"""Fields of questions that take exactly what the schema says, and nothing that merely looks like it."""

import re
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator, RegexValidator
from rest_framework import serializers

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
# Any text with a sign that is no space, and without control characters.
WITHOUT_NUL = r"^[^\u0000]*$"
LINE = r"^[^\u0000-\u001f]*[^\s\u0000-\u001f][^\u0000-\u001f]*$"


class StrictInteger(serializers.IntegerField):
    """Decimal digits: not `5.0`, not `1_000`, not digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        """The number; raises ValidationError."""
        if isinstance(data, bool) or not WHOLE_NUMBER.fullmatch(str(data)):
            self.fail("invalid")
        return int(data)


class StrictBoolean(serializers.BooleanField):
    """`true` or `false`, as JSON spells them."""

    def to_internal_value(self, data: Any) -> bool:
        """Whether it is set; raises ValidationError."""
        if data not in (True, False, "true", "false") or isinstance(data, int) is not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data in (True, "true")


class StrictText(serializers.CharField):
    """Text as it is, with the space around it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        # The framework refuses NUL bytes as well, but by a rule that the schema does not tell.
        told = [one for one in self.validators if not isinstance(one, ProhibitNullCharactersValidator)]
        self.validators = [*told, RegexValidator(WITHOUT_NUL, "Null characters are not allowed.")]

    def to_internal_value(self, data: Any) -> str:
        """The text; raises ValidationError, also for a number."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class SingleLineText(serializers.RegexField):
    """Some words on one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(LINE, **options)

    def to_internal_value(self, data: Any) -> str:
        """The words without space around them; raises ValidationError, also for a number."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))
