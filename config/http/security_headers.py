"""Content Security Policy of the site, the admin and the API documentation."""

from collections.abc import Mapping
from typing import Any

from csp.constants import NONCE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.http.request_log import API_V1_PREFIX

# Inline styles of Redoc: an empty one that its scripts fill, and that of its scroll bars.
REDOC_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
)
# The admin's scripts evaluate expressions in its markup, which has inline styles.
OVERRIDES: Mapping[str, Mapping[str, list[Any]]] = {
    "/admin": {"script-src": [SELF, UNSAFE_EVAL, NONCE], "style-src": [SELF, UNSAFE_INLINE]},
    "/api/redoc": {"style-src": [SELF, *REDOC_STYLES], "worker-src": [SELF, "blob:"]},
}


class PagePolicyMiddleware(CSPMiddleware):
    """Sends the site's policy with the overrides of the path."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the policy, except to API responses."""
        if request.path_info.startswith(API_V1_PREFIX):
            return response
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        parts.replace = {**overrides_for(request.path_info), **(parts.replace or {})}
        return parts


def overrides_for(path: str) -> Mapping[str, list[Any]]:
    """Return the directives that differ from the site's at this path."""
    return next((directives for prefix, directives in OVERRIDES.items() if path.startswith(prefix)), {})
