"""Wall-clock time for accounts, keys and usage, which a time-lapse does not simulate."""

from datetime import datetime

from django.utils import timezone


def utc_now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return timezone.now()
