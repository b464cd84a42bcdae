"""Limits of callers without credentials: the plan `anonymous` as this process last read it."""

from django.conf import settings

# Calls a minute and a day; None means no limit.
Limits = tuple[int | None, int | None]


class AnonymousLimits:
    """The cached limits, readable from event loops; `accounts.plan_watch` refreshes them in servers.

    Before the first read, and in processes without that watch, the configured default applies.
    """

    def __init__(self) -> None:
        self._limits: Limits | None = None

    def current(self) -> Limits:
        """Return the limits in force."""
        return self._limits or (settings.HINDCAST_LIMITS.anonymous_per_minute, None)

    def update(self, limits: Limits) -> None:
        """Replace the limits with those of the plan's row."""
        self._limits = limits


ANONYMOUS_LIMITS = AnonymousLimits()
