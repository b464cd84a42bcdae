"""Deleting an account."""

from datetime import datetime

from django.db import IntegrityError, OperationalError, transaction

from accounts.errors import LastAdministrator
from accounts.models import AuditEvent, User
from accounts.services.audit import record

ATTEMPTS = 3


def delete_account(*, user: User, now: datetime, detail: str = "") -> None:
    """Delete the person with everything that is theirs: alerts, keys, addresses, agreements.

    The ledger holds nothing of anybody; the audit keeps the account's number. `detail` says who did it, where it was
    not the person. Deleting twice does nothing more. Raises LastAdministrator for the only account that may do all.
    """
    pk = user.pk
    for left in reversed(range(ATTEMPTS)):
        try:
            _delete(pk, now, detail)
        except (IntegrityError, OperationalError):
            # A program that uses the account at this moment has just added a row, or waits for us as we do for it.
            if not left:
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
