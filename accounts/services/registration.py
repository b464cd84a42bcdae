"""Registering and signing in with address and password, telling nobody which addresses have accounts."""

from dataclasses import dataclass
from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts.errors import EmailNotVerified, EmailTaken, LoginFailed
from accounts.models import ApiKey, AuditEvent, Scope, User
from accounts.services.agreements import accept_documents
from accounts.services.api_keys import create_api_key
from accounts.services.audit import record

Kind = AuditEvent.Kind
FIRST_KEY = "first key"


@dataclass(frozen=True, slots=True)
class Registered:
    """A new account with its first key; the key's text is told once."""

    user: User
    key: ApiKey
    key_text: str


@transaction.atomic
def register(*, email: str, password: str, now: datetime) -> Registered:
    """Make an account of somebody who accepts the terms, with a key for everything. Raises EmailTaken."""
    user = _made(email, password, now)
    if user is None:
        raise EmailTaken
    key, text = create_api_key(owner=user, name=FIRST_KEY, scopes=Scope.values, expires_at=None, now=now)
    return Registered(user, key, text)


@transaction.atomic
def register_unverified(*, request: HttpRequest, email: str, password: str, now: datetime) -> None:
    """Make an account that waits for its address to be confirmed, and send the mail for that.

    Where there is an account already its owner gets a mail that says so; whoever asked sees no difference.
    """
    user = _made(email, password, now)
    if user is None:
        get_adapter(request).send_account_already_exists_mail(email)
        return
    EmailAddress.objects.get(user=user).send_confirmation(request, signup=True)


def signed_in(*, request: HttpRequest, email: str, password: str, requires_verification: bool, now: datetime) -> User:
    """The person with this address and password. Raises LoginFailed, EmailNotVerified.

    An unknown address takes as long as a wrong password.
    """
    user = authenticate(request, email=email, password=password)
    if not isinstance(user, User) or not user.is_active:
        tried = User.objects.filter(email__iexact=email).first()
        record(kind=Kind.SIGN_IN_FAILED, user=tried, now=now, detail="by API" if tried else "by API: no such account")
        raise LoginFailed
    if (
        requires_verification
        and not EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
    ):
        raise EmailNotVerified
    record(kind=Kind.SIGNED_IN, user=user, now=now, detail="by API")
    return user


def _made(email: str, password: str, now: datetime) -> User | None:
    """The new account; None for an address that has one, after the same work."""
    if User.objects.filter(email__iexact=email).exists():
        make_password(password)
        return None
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password)
    except IntegrityError:
        return None
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
    accept_documents(user=user, now=now)
    record(kind=Kind.SIGNED_UP, user=user, now=now, detail="by API")
    return user
