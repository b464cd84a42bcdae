"""Parse single fields of untrusted vendor data."""

import math
from datetime import UTC, datetime
from typing import Any


def clean_text(value: Any, *, longest: int) -> str:
    """Return printable text on one line; empty for values that are not text."""
    if not isinstance(value, str):
        return ""
    printable = "".join(sign if sign.isprintable() else " " for sign in value[: longest * 2])
    return " ".join(printable.split())[:longest]


def bounded_number(value: Any, *, low: float, high: float) -> float | None:
    """Return a number, also from text, if it is within low..high; None otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and low <= number <= high else None


def parse_instant(value: Any) -> datetime | None:
    """Parse an ISO instant, `20230331T133000` or Unix seconds into UTC; None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
