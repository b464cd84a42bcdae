"""What is read of people: their keys, what they agreed to, what happened lately, and all of it for themselves."""

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
EXPORTED_ROWS = 10_000


def lacks_agreement(user: User) -> bool:
    """Whether the person has yet to accept today's version of some text; staff speak for whoever runs the site."""
    if user.is_staff:
        return False
    accepted = set(Acceptance.objects.filter(user=user).values_list("document", "version"))
    return any((document.slug, document.version) not in accepted for document in REQUIRED_DOCUMENTS)


def are_all_administrators(people: Iterable[User]) -> bool:
    """Whether nobody else may do everything, but one of these may."""
    may_all = User.objects.filter(is_superuser=True, is_active=True)
    chosen = [person.pk for person in people]
    return may_all.filter(pk__in=chosen).exists() and not may_all.exclude(pk__in=chosen).exists()


def recent_events(user: User) -> QuerySet[AuditEvent]:
    """What happened to the account last, newest first."""
    return AuditEvent.objects.filter(user=user)[:RECENT_EVENTS]


def anonymous_limit() -> str:
    """Calls a minute of an address whose callers show no credentials, in words."""
    per_minute = Plan.objects.get(pk=ANONYMOUS_PLAN).per_minute
    return "no" if per_minute is None else str(per_minute)


def acceptances_of(user: User) -> QuerySet[Acceptance]:
    """What the person agreed to, newest first."""
    return Acceptance.objects.filter(user=user)


def vendors_of(user: User) -> QuerySet[SocialAccount]:
    """The vendors whose word signs the person in."""
    return SocialAccount.objects.filter(user=user).order_by("provider")


def keys_of(owner: User) -> QuerySet[ApiKey]:
    """All keys that the person ever made, newest first."""
    return ApiKey.objects.filter(owner=owner)


def usable_keys(owner: User, *, now: datetime) -> QuerySet[ApiKey]:
    """The keys of the person that are neither revoked nor expired."""
    return keys_of(owner).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True)


def keys_usable_since(owner: User, *, since: datetime) -> QuerySet[ApiKey]:
    """The keys of the person that were usable at that instant or at any later one."""
    ends_later = Q(expires_at__isnull=True) | Q(expires_at__gt=since)
    return keys_of(owner).filter(ends_later, Q(revoked_at__isnull=True) | Q(revoked_at__gt=since))


def export_for(user: User) -> dict[str, Any]:
    """Everything that this app keeps about the person, as JSON can hold it; no password, key or token is in it."""
    return {
        "email": user.email,
        "name": user.get_full_name(),
        "made_at": user.date_joined.isoformat(),
        "last_sign_in_at": _told(user.last_login),
        "is_staff": user.is_staff,
        "plan": user.plan_id,
        "addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "vendors": [
            {"vendor": vendor.provider, "name_there": vendor.uid, "joined_at": vendor.date_joined.isoformat()}
            for vendor in vendors_of(user)
        ],
        "keys": [
            {
                "begins_with": key.prefix,
                "name": key.name,
                "scopes": key.scopes,
                "made_at": key.created_at.isoformat(),
                "expires_at": _told(key.expires_at),
                "last_used_at": _told(key.last_used_at),
                "revoked_at": _told(key.revoked_at),
            }
            for key in keys_of(user)
        ],
        "sign_ins_by_api": [
            {
                "at": row.created_at.isoformat(),
                "ends_at": row.expires_at.isoformat(),
                "revoked_at": _told(row.revoked_at),
            }
            for row in TokenFamily.objects.filter(user=user)
        ],
        "usage": [
            {"day": row.day.isoformat(), "endpoint": row.endpoint, "calls": row.calls, "errors": row.errors}
            for row in UsageDay.objects.filter(user=user)
        ],
        "calls": [
            {
                "at": row.at.isoformat(),
                "method": row.method,
                "path": row.path,
                "status": row.status,
                "duration_ms": row.duration_ms,
                "network": row.network,
            }
            for row in RequestLog.objects.filter(user=user)[:EXPORTED_ROWS]
        ],
        "agreements": [
            {"text": row.document, "version": row.version, "at": row.accepted_at.isoformat(), "network": row.network}
            for row in acceptances_of(user)
        ],
        "events": [
            {"what": row.kind, "detail": row.detail, "at": row.recorded_at.isoformat(), "network": row.network}
            for row in AuditEvent.objects.filter(user=user)[:EXPORTED_ROWS]
        ],
    }


def _told(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
