"""Default permission of every view of the API: its scope, and whether it is for staff."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.principals import principal_of

PUBLIC = "public"


class CallerPermission(BasePermission):
    """A view says `required_scope`, and `staff_only = True` or `needs_account = True`; one that says nothing is closed.

    `required_scope = "public"` is for calls that come before signing in, whoever makes them.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the principal may; a key without the scope raises ScopeMissing, which names it."""
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
