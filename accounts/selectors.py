"""What is known of people, their keys and their calls."""

from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.models import ApiKey, User


def keys_of(owner: User) -> QuerySet[ApiKey]:
    """All keys that the person ever made, newest first."""
    return ApiKey.objects.filter(owner=owner)


def usable_keys(owner: User, *, now: datetime) -> QuerySet[ApiKey]:
    """The keys of the person that are neither revoked nor expired."""
    return keys_of(owner).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True)
