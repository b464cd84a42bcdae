"""Start-up of logging and, where SENTRY_DSN is set, error reporting to Sentry."""

from typing import TYPE_CHECKING

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from config.observability.logging import configure_logging, redact_secrets

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


def start_telemetry() -> None:
    """Configure logging and error reporting; every process calls it once at start-up."""
    configure_logging(settings.LOGGING)
    dsn = settings.HINDCAST_SITE.sentry_dsn
    if dsn:
        start_error_reporting(dsn)


def start_error_reporting(dsn: str) -> None:
    """Report errors to Sentry without users and request contents."""
    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=strip_event,
        default_integrations=True,
        integrations=[
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            CeleryIntegration(),
            LoggingIntegration(level=None, event_level=None),
        ],
    )


def strip_event(event: "Event", _hint: "Hint") -> "Event":
    """Remove user, request contents and secrets from an event."""
    event.pop("user", None)
    request = event.get("request")
    if isinstance(request, dict):
        for part in ("cookies", "headers", "data", "env", "query_string"):
            request.pop(part, None)
    cleaned: Event = redact_secrets(event)
    return cleaned
