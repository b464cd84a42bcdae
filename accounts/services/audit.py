"""Writes the audit log of accounts, keys and models."""

from datetime import datetime

from allauth.core import context
from django.contrib.auth.base_user import AbstractBaseUser

from accounts.limits import client_address, network_of
from accounts.models import AuditEvent

Kind = AuditEvent.Kind
MAX_DETAIL_CHARACTERS = 200


def record(*, kind: Kind, user: AbstractBaseUser | None, now: datetime, detail: str = "") -> AuditEvent:
    """Add an event of the account `user`; each call adds a row.

    The client's network is taken from the current request, and is empty in commands and jobs. `detail` names the key,
    version or provider, never a secret.
    """
    return AuditEvent.objects.create(
        kind=kind,
        user_id=None if user is None else user.pk,
        detail=detail[:MAX_DETAIL_CHARACTERS],
        network=network_of_request(),
        recorded_at=now,
    )


def network_of_request() -> str:
    """Return the network of the current request's client; empty outside a request."""
    request = context.request
    return "" if request is None else network_of(client_address(request))


def record_model_change(*, actor: AbstractBaseUser | None, version: str, rolled_back: bool, now: datetime) -> None:
    """Add a promotion or a rollback; the model registry calls this through a setting."""
    kind = Kind.MODEL_ROLLED_BACK if rolled_back else Kind.MODEL_PROMOTED
    record(kind=kind, user=actor, now=now, detail=version)


def record_staff_decision(*, actor: AbstractBaseUser | None, change: str, now: datetime) -> None:
    """Add a decision of staff about prices; market data calls this through a setting."""
    record(kind=Kind.CHANGED_BY_STAFF, user=actor, now=now, detail=change)
