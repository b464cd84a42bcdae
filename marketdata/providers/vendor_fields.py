"""Reading single fields of what sources send, where anything may stand in any place."""

import math
from datetime import UTC, datetime
from typing import Any


def clean_text(value: Any, *, longest: int) -> str:
    """The text on one line, without what does not print; empty for anything that is no text."""
    if not isinstance(value, str):
        return ""
    printable = "".join(sign if sign.isprintable() else " " for sign in value[: longest * 2])
    return " ".join(printable.split())[:longest]


def bounded_number(value: Any, *, low: float, high: float) -> float | None:
    """The number, also from a text, if it lies in its range; None otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and low <= number <= high else None


def parse_instant(value: Any) -> datetime | None:
    """An ISO instant (`2023-03-31T13:30:00Z`), `20230331T133000` or seconds since 1970, in UTC; None otherwise."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
