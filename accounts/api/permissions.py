"""Default permission of API views: scope, account and staff checks."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.principals import principal_of

PUBLIC = "public"


class ScopePermission(BasePermission):
    """Checks the view's `required_scope`, `staff_only` and `needs_account`; a view without `required_scope` is closed.

    `required_scope = "public"` marks calls made before signing in.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the call is permitted. Raises ScopeMissing for a key without the scope."""
        scope = getattr(view, "required_scope", None)
        if scope is None:
            return False
        if scope == PUBLIC:
            return True
        principal = principal_of(request._request)
        if principal.user_id is None and getattr(view, "needs_account", False):
            return False
        if scope not in principal.scopes:
            if principal.kind == "anonymous":
                return False
            principal.require(scope)
        return principal.is_staff or not getattr(view, "staff_only", False)
