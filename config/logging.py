"""How log lines look."""

from typing import Any


def logging_config(log_format: str, level: str) -> dict[str, Any]:
    """A dictConfig for the standard library's logging."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"], "level": level},
    }
