"""Registering and signing in with address and password, telling nobody which addresses have accounts."""

from dataclasses import dataclass
from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts.errors import AddressTaken, AddressUnproven, SignInRefused
from accounts.models import ApiKey, Scope, User
from accounts.services.api_keys import make_api_key

FIRST_KEY = "first key"


@dataclass(frozen=True, slots=True)
class Registered:
    """A new account with its first key; the key's text is told once."""

    user: User
    key: ApiKey
    key_text: str


def register(*, email: str, password: str, now: datetime) -> Registered:
    """Make an account that may be used at once, with a key for everything. Raises AddressTaken."""
    user = _made(email, password)
    if user is None:
        raise AddressTaken
    key, text = make_api_key(owner=user, name=FIRST_KEY, scopes=Scope.values, expires_at=None, now=now)
    return Registered(user, key, text)


def register_unproven(*, request: HttpRequest, email: str, password: str) -> None:
    """Make an account that waits for its address to be confirmed, and send the mail for that.

    Where there is an account already its owner gets a mail that says so; whoever asked sees no difference.
    """
    user = _made(email, password)
    if user is None:
        get_adapter(request).send_account_already_exists_mail(email)
        return
    address = EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
    address.send_confirmation(request, signup=True)


def signed_in(*, request: HttpRequest, email: str, password: str, must_be_proven: bool) -> User:
    """The person with this address and password. Raises SignInRefused, AddressUnproven.

    An unknown address takes as long as a wrong password.
    """
    user = authenticate(request, email=email, password=password)
    if not isinstance(user, User) or not user.is_active:
        raise SignInRefused
    if must_be_proven and not EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists():
        raise AddressUnproven
    return user


def _made(email: str, password: str) -> User | None:
    """The new account; None for an address that has one, after the same work."""
    if User.objects.filter(email__iexact=email).exists():
        make_password(password)
        return None
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password)
    except IntegrityError:
        return None
