"""Default authentication of every view of the API, by key, token or session, and how the schema tells of it."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from accounts.api.permissions import PUBLIC
from accounts.conf import CHALLENGE
from accounts.errors import InvalidCredentials
from accounts.models import User
from accounts.principals import ANONYMOUS_SCOPES, Principal, has_header_credentials, principal_of


class PrincipalAuthentication(SessionAuthentication):
    """`request.user` is read from the database when a view asks for it, `request.auth` is the Principal."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Principal] | None:
        """The person and the principal; None for one that nobody knows. Raises InvalidCredentials.

        Only calls that rest on the session's cookie need the token that protects forms. Calls that come before signing
        in read no credentials: programs send an access token that has expired along with what renews it.
        """
        http: HttpRequest = request._request
        if getattr(request.parser_context.get("view"), "required_scope", None) == PUBLIC:
            return None
        principal = principal_of(http)
        person_id = principal.user_id
        if person_id is None:
            return None
        if has_header_credentials(http):
            return SimpleLazyObject(lambda: _person(person_id)), principal  # type: ignore[return-value]  # stands for a User
        self.enforce_csrf(request)
        return http.user, principal  # type: ignore[return-value]  # somebody, as the principal has an id

    def authenticate_header(self, request: Request) -> str:
        """What a refusal says about how to sign in."""
        return CHALLENGE


def _person(person_id: int) -> User:
    try:
        return User.objects.select_related("plan").get(pk=person_id)
    except User.DoesNotExist as error:
        raise InvalidCredentials("inactive-account") from error


class PrincipalScheme(OpenApiAuthenticationExtension):
    """Three ways: a key, a token, the session of the site."""

    target_class = "accounts.api.authentication.PrincipalAuthentication"
    name = ["apiKey", "bearer", "session"]  # noqa: RUF012  # the generator reads a list

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """One of the three, or none where calls without credentials are answered."""
        view = auto_schema.view
        scope = getattr(view, "required_scope", None)
        if scope == PUBLIC:
            return [{}]
        named: list[dict[str, list[Any]]] = [{name: []} for name in self.name]
        is_closed = getattr(view, "staff_only", False) or getattr(view, "needs_account", False)
        is_open = scope in ANONYMOUS_SCOPES and not is_closed
        return [*named, {}] if is_open else named

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """What OpenAPI calls them, in the order of the names."""
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of `/api/v1/auth/keys`."},
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `/api/v1/auth/token`."},
            {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "The pages of this site."},
        ]
