"""What a process tells its operators: log lines always, errors to Sentry where SENTRY_DSN is set."""

from typing import TYPE_CHECKING

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from config.observability.logging import configure_logging, without_secrets

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


def start_telemetry() -> None:
    """Set up logging and error reports as the settings say; every process calls it once, at its start."""
    configure_logging(settings.LOGGING)
    dsn = settings.HINDCAST_SITE.sentry_dsn
    if dsn:
        start_error_reports(dsn)


def start_error_reports(dsn: str) -> None:
    """Report errors to Sentry, without who was asking and without what they sent."""
    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=stripped,
        default_integrations=True,
        integrations=[
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            CeleryIntegration(),
            LoggingIntegration(level=None, event_level=None),
        ],
    )


def stripped(event: "Event", _hint: "Hint") -> "Event":
    """The event without people and without secrets."""
    event.pop("user", None)
    request = event.get("request")
    if isinstance(request, dict):
        for part in ("cookies", "headers", "data", "env", "query_string"):
            request.pop(part, None)
    cleaned: Event = without_secrets(event)
    return cleaned
