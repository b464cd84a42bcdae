"""Deleting an account."""

from datetime import datetime

from django.db import transaction

from accounts.errors import LastAdministrator
from accounts.models import AuditEvent, User
from accounts.services.audit import record


@transaction.atomic
def delete_account(*, user: User, now: datetime, detail: str = "") -> None:
    """Delete the person with everything that is theirs: alerts, keys, addresses, agreements.

    The ledger holds nothing of anybody; the audit keeps the account's number. `detail` says who did it, where it was
    not the person. Deleting twice does nothing more. Raises LastAdministrator for the only account that may do all.
    """
    administrators = list(User.objects.select_for_update().filter(is_superuser=True, is_active=True).order_by("pk"))
    if [person.pk for person in administrators] == [user.pk]:
        raise LastAdministrator
    if not User.objects.filter(pk=user.pk).exists():
        return
    record(kind=AuditEvent.Kind.ACCOUNT_DELETED, user=user, now=now, detail=detail)
    user.delete()
