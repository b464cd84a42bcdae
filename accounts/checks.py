"""System checks of people and their credentials."""

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Tags, register

BLACKLIST_APP = "rest_framework_simplejwt.token_blacklist"


@register(Tags.security)
def check_blacklist(**_: Any) -> list[CheckMessage]:
    """Without its app the blacklist of refresh tokens is silently off."""
    if apps.is_installed(BLACKLIST_APP):
        return []
    return [
        Error(
            "Refresh tokens cannot be revoked.",
            hint=f"Put {BLACKLIST_APP} into INSTALLED_APPS and migrate.",
            id="accounts.E001",
        )
    ]
