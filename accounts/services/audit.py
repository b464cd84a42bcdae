"""The record of what happened to accounts, keys and models."""

from datetime import datetime

from allauth.core import context
from django.contrib.auth.base_user import AbstractBaseUser

from accounts.limits import client_address, network_of
from accounts.models import AuditEvent

Kind = AuditEvent.Kind
LONGEST_DETAIL = 200


def record(*, kind: Kind, user: AbstractBaseUser | None, now: datetime, detail: str = "") -> AuditEvent:
    """Add what `user` did or what was done to the account; called twice it is recorded twice.

    Where from is known by itself while a request is answered, and stays empty in commands and jobs. `detail` names the
    key, version or vendor, never a secret.
    """
    return AuditEvent.objects.create(
        kind=kind,
        user_id=None if user is None else user.pk,
        detail=detail[:LONGEST_DETAIL],
        network=network_of_request(),
        recorded_at=now,
    )


def network_of_request() -> str:
    """The shortened address of whoever sent the request that is being answered; empty outside one."""
    request = context.request
    return "" if request is None else network_of(client_address(request))


def record_model_change(*, actor: AbstractBaseUser | None, version: str, rolled_back: bool, now: datetime) -> None:
    """Add a promotion or a rollback; the registry of models knows this function by the settings only."""
    kind = Kind.MODEL_ROLLED_BACK if rolled_back else Kind.MODEL_PROMOTED
    record(kind=kind, user=actor, now=now, detail=version)
