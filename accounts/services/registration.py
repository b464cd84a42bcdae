"""Registration and sign-in by e-mail and password, without revealing which addresses have accounts."""

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
class Registration:
    """A new account with its first key and the key's text."""

    user: User
    key: ApiKey
    key_text: str


@transaction.atomic
def register(*, email: str, password: str, now: datetime) -> Registration:
    """Create an account that accepted the terms, with a key for every scope. Raises EmailTaken."""
    user = _create_user(email, password, now)
    if user is None:
        raise EmailTaken
    key, text = create_api_key(owner=user, name=FIRST_KEY, scopes=Scope.values, expires_at=None, now=now)
    return Registration(user, key, text)


@transaction.atomic
def register_unverified(*, request: HttpRequest, email: str, password: str, now: datetime) -> None:
    """Create an account and send its verification e-mail.

    If the address has an account, its owner gets an e-mail instead; the caller sees no difference.
    """
    user = _create_user(email, password, now)
    if user is None:
        get_adapter(request).send_account_already_exists_mail(email)
        return
    EmailAddress.objects.get(user=user).send_confirmation(request, signup=True)


def authenticate_user(
    *, request: HttpRequest, email: str, password: str, requires_verification: bool, now: datetime
) -> User:
    """Return the user with this e-mail and password. Raises LoginFailed, EmailNotVerified.

    An unknown address takes as long as a wrong password.
    """
    user = authenticate(request, email=email, password=password)
    if not isinstance(user, User) or not user.is_active:
        target = User.objects.filter(email__iexact=email).first()
        record(kind=Kind.SIGN_IN_FAILED, user=target, now=now, detail="API" if target else "API: unknown address")
        raise LoginFailed
    if (
        requires_verification
        and not EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
    ):
        raise EmailNotVerified
    record(kind=Kind.SIGNED_IN, user=user, now=now, detail="API")
    return user


def _create_user(email: str, password: str, now: datetime) -> User | None:
    """Create the user; returns None, after the same work, if the address has an account."""
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
    record(kind=Kind.SIGNED_UP, user=user, now=now, detail="API")
    return user
