"""What the pages of the site, of the admin and of the API's documentation may load."""

from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class PagePolicyMiddleware(CSPMiddleware):
    """Sends the site's policy, with the directives that the settings replace under some paths."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        parts.replace = {**replaced_under(request.path_info), **(parts.replace or {})}
        return parts


def replaced_under(path: str) -> dict[str, Any]:
    """The directives that differ from the site's at this path."""
    exceptions: dict[str, dict[str, Any]] = settings.CONTENT_SECURITY_EXCEPTIONS
    return next((directives for prefix, directives in exceptions.items() if path.startswith(prefix)), {})
