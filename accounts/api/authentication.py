"""Default authentication of every view of the API: key, token or session, whichever `caller_of` finds."""

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from accounts.callers import Caller, caller_of, comes_by_header
from accounts.conf import CHALLENGE
from accounts.errors import CredentialsRefused
from accounts.models import User


class CallerAuthentication(SessionAuthentication):
    """`request.user` is read from the database when a view asks for it, `request.auth` is the Caller."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Caller] | None:
        """The person and the caller; None for one that nobody knows. Raises CredentialsRefused.

        Only calls that rest on the session's cookie need the token that protects forms.
        """
        http: HttpRequest = request._request
        caller = caller_of(http)
        if caller.user_id is None:
            return None
        if comes_by_header(http):
            return SimpleLazyObject(lambda: _person(caller)), caller  # type: ignore[return-value]  # stands for a User
        self.enforce_csrf(request)
        return http.user, caller  # type: ignore[return-value]  # somebody, as the caller has an id

    def authenticate_header(self, request: Request) -> str:
        """What a refusal says about how to sign in."""
        return CHALLENGE


def _person(caller: Caller) -> User:
    try:
        return User.objects.get(pk=caller.user_id)
    except User.DoesNotExist as error:
        raise CredentialsRefused("inactive-account") from error
