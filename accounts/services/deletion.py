"""Deletion of accounts."""

from datetime import datetime

from django.db import IntegrityError, OperationalError, transaction

from accounts.errors import LastAdministrator
from accounts.models import AuditEvent, User
from accounts.services.audit import record

ATTEMPTS = 3


def delete_account(*, user: User, now: datetime, detail: str = "") -> None:
    """Delete the user and their rows: alerts, keys, addresses, agreements; a second call does nothing.

    The audit log keeps the account's number. `detail` names the actor, if it was not the user. Raises
    LastAdministrator for the only active superuser.
    """
    pk = user.pk
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            _delete(pk, now, detail)
        except (IntegrityError, OperationalError):
            # A concurrent request of the account added a row or caused a deadlock.
            if not attempts_left:
                raise
        else:
            return


@transaction.atomic
def _delete(pk: int, now: datetime, detail: str) -> None:
    administrators = list(User.objects.select_for_update().filter(is_superuser=True, is_active=True).order_by("pk"))
    if [person.pk for person in administrators] == [pk]:
        raise LastAdministrator
    user = User.objects.filter(pk=pk).first()
    if user is None:
        return
    record(kind=AuditEvent.Kind.ACCOUNT_DELETED, user=user, now=now, detail=detail)
    user.delete()
