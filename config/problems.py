"""Domain error -> application/problem+json."""

from typing import Any

from rest_framework.response import Response


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    return None
