"""E-mails to owners that no request waits for."""

from allauth.account.adapter import get_adapter
from django.urls import reverse

from accounts.models import User

GUESSES = "account/email/guesses"


def warn_owner(*, user_id: int) -> None:
    """Warn an active user that someone tries passwords; a second call sends a second message."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is not None:
        links = {"password_reset_url": reverse("account_reset_password"), "settings_url": reverse("accounts:settings")}
        get_adapter().send_mail(GUESSES, user.email, links)
