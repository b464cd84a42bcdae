"""URL configuration."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, include, path, re_path, resolve
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from config import account_export
from config.apidocs import pages as api_pages
from config.devserver.clock_view import simulated_clock
from config.observability import health
from config.observability.metrics import metrics


@csrf_exempt
def without_slash(request: HttpRequest, rest: str) -> HttpResponse:
    """API paths have no slash at the end; one with a slash leads to the one without, with the method and the query."""
    target = f"/{rest}"
    try:
        resolve(target)
    except Resolver404 as error:
        raise Http404("There is nothing at this address.") from error
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(f"{target}?{query}" if query else target, preserve_request=True)


# Staff come in by the one door there is, with its limits, its record and its terms.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# Read as often as anybody likes, and nothing but read.
DOCUMENT: dict[str, Any] = {"throttle_classes": [], "http_method_names": ["get", "head"]}

urlpatterns = [
    # First, as they are looked up most often.
    path("api/v1/", include("predictions.api.urls")),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("marketdata.api.urls")),
    path("", include("predictions.urls")),
    path("", include("marketdata.urls")),
    path("alerts/", include("alerts.urls")),
    path("", include("accounts.urls")),
    path("accounts/export", account_export.download, name="account_export"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/schema", SpectacularAPIView.as_view(**DOCUMENT), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **DOCUMENT), name="docs"),
    path("api/start", csrf_exempt(api_pages.start), name="api-start"),
    path("api/policy", csrf_exempt(api_pages.policy), name="api-policy"),
    path("api/postman.json", csrf_exempt(api_pages.postman), name="postman"),
    path("api/problems", csrf_exempt(api_pages.problems), name="problems"),
    path("api/redoc", SpectacularRedocView.as_view(url_name="schema", **DOCUMENT), name="redoc"),
    re_path(r"^(?P<rest>api/.+)/$", without_slash),
    path("clock", simulated_clock, name="clock"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    # For the collector inside the network; the proxy in front of the site does not pass it on.
    path("metrics", metrics, name="metrics"),
]

handler400 = "config.http.problem_responses.bad_request"
handler403 = "config.http.problem_responses.permission_denied"
handler404 = "config.http.problem_responses.page_not_found"
handler429 = "config.http.login_throttle.allauth_rate_limited"
handler500 = "config.http.problem_responses.server_error"
