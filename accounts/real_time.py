"""The real time, in which people, their keys and their counts live, also on the site of a time-lapse."""

from datetime import datetime

from django.utils import timezone


def real_now() -> datetime:
    """The instant that it is, aware, in UTC."""
    return timezone.now()
