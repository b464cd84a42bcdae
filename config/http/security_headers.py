"""Security headers: content security policy, caching of private pages, clearing at sign-out, CORS of the API."""

from collections.abc import Mapping
from typing import Any

from corsheaders.middleware import CorsMiddleware
from csp.constants import NONCE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers, patch_vary_headers

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
PRIVATE_PATHS = ("/accounts/", "/alerts/", "/admin/")


class PagePolicyMiddleware(CSPMiddleware):
    """Sends the site's policy with the overrides of the path, and keeps private pages out of caches."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the headers, except to API responses."""
        if request.path_info.startswith(API_V1_PREFIX):
            return response
        if request.path_info.startswith(PRIVATE_PATHS) and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        if request.method == "POST" and request.resolver_match and request.resolver_match.url_name == "account_logout":
            response["Clear-Site-Data"] = '"cache", "storage"'
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        parts.replace = {**overrides_for(request.path_info), **(parts.replace or {})}
        return parts


class ApiCorsMiddleware(CorsMiddleware):
    """Adds `Vary: origin` alone to responses for clients that are not pages, without reading all request headers."""

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if "HTTP_ORIGIN" in request.META:
            return super().add_response_headers(request, response)
        patch_vary_headers(response, ("origin",))
        return response


def overrides_for(path: str) -> Mapping[str, list[Any]]:
    """Return the directives that differ from the site's at this path."""
    return next((directives for prefix, directives in OVERRIDES.items() if path.startswith(prefix)), {})
