"""System checks of accounts."""

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Tags, register

BLACKLIST_APP = "rest_framework_simplejwt.token_blacklist"


@register(Tags.security)
def check_blacklist(**_: Any) -> list[CheckMessage]:
    """Require the blacklist app, without which refresh tokens cannot be revoked."""
    if apps.is_installed(BLACKLIST_APP):
        return []
    return [
        Error(
            "Refresh tokens cannot be revoked.",
            hint=f"Add {BLACKLIST_APP} to INSTALLED_APPS and migrate.",
            id="accounts.E001",
        )
    ]
