"""Queries for users: agreements, keys, audit events, and the data export."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db.models import Q, QuerySet

from accounts.conf import ANONYMOUS_PLAN
from accounts.legal_documents import REQUIRED_DOCUMENTS
from accounts.models import Acceptance, ApiKey, AuditEvent, Plan, RequestLog, TokenFamily, UsageDay, User

RECENT_EVENTS = 10
MAX_EXPORTED_ROWS = 10_000


def lacks_agreement(user: User) -> bool:
    """Return whether the user has yet to accept a current document; staff need not."""
    if user.is_staff:
        return False
    accepted = set(Acceptance.objects.filter(user=user).values_list("document", "version"))
    return any((document.slug, document.version) not in accepted for document in REQUIRED_DOCUMENTS)


def include_all_administrators(users: Iterable[User]) -> bool:
    """Return whether these users include every active superuser, of whom there is at least one."""
    administrators = User.objects.filter(is_superuser=True, is_active=True)
    selected = [user.pk for user in users]
    return administrators.filter(pk__in=selected).exists() and not administrators.exclude(pk__in=selected).exists()


def recent_events(user: User) -> QuerySet[AuditEvent]:
    """Return the latest audit events of the account, newest first."""
    return AuditEvent.objects.filter(user=user)[:RECENT_EVENTS]


def anonymous_limit() -> str:
    """Return the anonymous limit of calls per minute as text."""
    per_minute = Plan.objects.get(pk=ANONYMOUS_PLAN).per_minute
    return "no" if per_minute is None else str(per_minute)


def acceptances_of(user: User) -> QuerySet[Acceptance]:
    """Return the user's acceptances, newest first."""
    return Acceptance.objects.filter(user=user)


def social_accounts_of(user: User) -> QuerySet[SocialAccount]:
    """Return the connected accounts that can sign the user in."""
    return SocialAccount.objects.filter(user=user).order_by("provider")


def keys_of(owner: User) -> QuerySet[ApiKey]:
    """Return all keys of the user, newest first."""
    return ApiKey.objects.filter(owner=owner)


def usable_keys(owner: User, *, now: datetime) -> QuerySet[ApiKey]:
    """Return the user's keys that are neither revoked nor expired."""
    return keys_of(owner).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True)


def keys_usable_since(owner: User, *, since: datetime) -> QuerySet[ApiKey]:
    """Return the user's keys that were usable at that instant or later."""
    ends_later = Q(expires_at__isnull=True) | Q(expires_at__gt=since)
    return keys_of(owner).filter(ends_later, Q(revoked_at__isnull=True) | Q(revoked_at__gt=since))


def export_for(user: User) -> dict[str, Any]:
    """Return all of the user's rows in this app as JSON values, without passwords, keys or tokens."""
    return {
        "email": user.email,
        "name": user.get_full_name(),
        "created_at": user.date_joined.isoformat(),
        "last_sign_in_at": _iso(user.last_login),
        "is_staff": user.is_staff,
        "plan": user.plan_id,
        "addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "connected_accounts": [
            {"provider": account.provider, "uid": account.uid, "connected_at": account.date_joined.isoformat()}
            for account in social_accounts_of(user)
        ],
        "keys": [
            {
                "prefix": key.prefix,
                "name": key.name,
                "scopes": key.scopes,
                "created_at": key.created_at.isoformat(),
                "expires_at": _iso(key.expires_at),
                "last_used_at": _iso(key.last_used_at),
                "revoked_at": _iso(key.revoked_at),
            }
            for key in keys_of(user)
        ],
        "api_sessions": [
            {
                "created_at": row.created_at.isoformat(),
                "expires_at": row.expires_at.isoformat(),
                "revoked_at": _iso(row.revoked_at),
            }
            for row in TokenFamily.objects.filter(user=user)
        ],
        "usage": [
            {"day": row.day.isoformat(), "endpoint": row.endpoint, "calls": row.calls, "errors": row.errors}
            for row in UsageDay.objects.filter(user=user)
        ],
        "requests": [
            {
                "at": row.at.isoformat(),
                "method": row.method,
                "path": row.path,
                "status": row.status,
                "duration_ms": row.duration_ms,
                "network": row.network,
            }
            for row in RequestLog.objects.filter(user=user)[:MAX_EXPORTED_ROWS]
        ],
        "agreements": [
            {
                "document": row.document,
                "version": row.version,
                "accepted_at": row.accepted_at.isoformat(),
                "network": row.network,
            }
            for row in acceptances_of(user)
        ],
        "events": [
            {"kind": row.kind, "detail": row.detail, "at": row.recorded_at.isoformat(), "network": row.network}
            for row in AuditEvent.objects.filter(user=user)[:MAX_EXPORTED_ROWS]
        ],
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
