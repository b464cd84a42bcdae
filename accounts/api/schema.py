"""How the ways to sign in enter the OpenAPI schema."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.api.permissions import PUBLIC
from accounts.callers import ANONYMOUS_SCOPES


class CallerScheme(OpenApiAuthenticationExtension):
    """Three ways: a key, a token, the session of the site."""

    target_class = "accounts.api.authentication.CallerAuthentication"
    name = ["apiKey", "bearer", "session"]  # noqa: RUF012  # the generator reads a list

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """One of the three, or none where calls without credentials are answered."""
        view = auto_schema.view
        scope = getattr(view, "required_scope", None)
        if scope == PUBLIC:
            return [{}]
        named: list[dict[str, list[Any]]] = [{name: []} for name in self.name]
        is_open = scope in ANONYMOUS_SCOPES and not getattr(view, "staff_only", False)
        return [*named, {}] if is_open else named

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """What OpenAPI calls them, in the order of the names."""
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of `/api/v1/auth/keys`."},
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `/api/v1/auth/token`."},
            {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "The pages of this site."},
        ]
