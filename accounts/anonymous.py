"""What callers without credentials may do: the plan `anonymous`, as this process read it last."""

from django.conf import settings

# Calls a minute and a day; None is no limit.
Limits = tuple[int | None, int | None]


class AnonymousPlan:
    """The limits for plain reads, from event loops too; `accounts.plan_watch` keeps them true in servers.

    Until the row was read once, or where nobody follows it, they are those that a new database begins with.
    """

    def __init__(self) -> None:
        self._limits: Limits | None = None

    def limits(self) -> Limits:
        """What holds now."""
        return self._limits or (settings.HINDCAST_LIMITS.anonymous_per_minute, None)

    def hold(self, limits: Limits) -> None:
        """Take over what the row says."""
        self._limits = limits


ANONYMOUS = AnonymousPlan()
