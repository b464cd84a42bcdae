"""Default authentication of API views by key, token or session, and its OpenAPI description."""

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
    """Sets `request.auth` to the Principal, and `request.user` to a user that is loaded on first access."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Principal] | None:
        """Return the user and the principal; None for anonymous calls. Raises InvalidCredentials.

        Only session cookies need CSRF protection. Public calls ignore credentials, because clients send an expired
        access token along with the refresh token.
        """
        http: HttpRequest = request._request
        if getattr(request.parser_context.get("view"), "required_scope", None) == PUBLIC:
            return None
        principal = principal_of(http)
        user_id = principal.user_id
        if user_id is None:
            return None
        if has_header_credentials(http):
            return SimpleLazyObject(lambda: _load_user(user_id)), principal  # type: ignore[return-value]  # proxy of a User
        self.enforce_csrf(request)
        return http.user, principal  # type: ignore[return-value]  # a User, as the principal has an id

    def authenticate_header(self, request: Request) -> str:
        """Return the WWW-Authenticate challenge."""
        return CHALLENGE


def _load_user(user_id: int) -> User:
    try:
        return User.objects.select_related("plan").get(pk=user_id)
    except User.DoesNotExist as error:
        raise InvalidCredentials("inactive-account") from error


class PrincipalScheme(OpenApiAuthenticationExtension):
    """Security schemes: API key, bearer token, session cookie."""

    target_class = "accounts.api.authentication.PrincipalAuthentication"
    name = ["apiKey", "bearer", "session"]  # noqa: RUF012  # the generator reads a list

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Return the alternatives: each scheme, and none where anonymous calls are allowed."""
        view = auto_schema.view
        scope = getattr(view, "required_scope", None)
        if scope == PUBLIC:
            return [{}]
        named: list[dict[str, list[Any]]] = [{name: []} for name in self.name]
        is_closed = getattr(view, "staff_only", False) or getattr(view, "needs_account", False)
        is_open = scope in ANONYMOUS_SCOPES and not is_closed
        return [*named, {}] if is_open else named

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """Return the definitions in the order of the names."""
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "An API key from `/api/v1/auth/keys`.",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token from `/api/v1/auth/token`.",
            },
            {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "The session of this website."},
        ]
