"""The first staff account of a deployment."""

from dataclasses import dataclass
from datetime import datetime

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.services.audit import record

UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class StaffAccount:
    """The staff user; `password_path` is the path that sets a first password, while there is none."""

    user: User
    created: bool
    password_path: str | None


@transaction.atomic
def ensure_first_staff(*, email: str, password: str, now: datetime) -> StaffAccount:
    """Return a superuser, created if there is none; without a password, a one-time link sets it.

    Raises ValidationError if a new account's password is refused.
    """
    user, created = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first(), False
    if user is None:
        if password:
            validate_password(password, User(email=email))
        user, created = User.objects.create_superuser(email, password or None, plan_id=UNLIMITED), True
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        record(kind=AuditEvent.Kind.SIGNED_UP, user=user, now=now, detail="first staff account")
    return StaffAccount(user, created, None if user.has_usable_password() else _password_path(user))


def _password_path(user: User) -> str:
    """Return the path of the page that sets a password; it ends with its use and after PASSWORD_RESET_TIMEOUT."""
    key = default_token_generator.make_token(user)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
