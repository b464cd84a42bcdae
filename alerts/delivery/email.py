"""E-mail channel: plain text with an HTML alternative."""

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from alerts.errors import DeliveryFailed
from alerts.models import Alert
from predictions.conf import DISCLAIMER

CHANNEL = "email"


def send(alert: Alert) -> None:
    """Send the alert to its owner. Raises DeliveryFailed if the mail server refuses it."""
    site = settings.HINDCAST_SITE.site_url
    context = {
        "alert": alert,
        "stock_url": site + reverse("predictions:stock", args=[alert.rule.instrument.symbol]),
        "rules_url": site + reverse("alerts:list"),
        "disclaimer": DISCLAIMER,
    }
    message = EmailMultiAlternatives(
        subject=alert.subject,
        body=render_to_string("alerts/email/alert.txt", context),
        to=[alert.rule.user.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("alerts/email/alert.html", context), "text/html")
    try:
        message.send()
    except (SMTPException, OSError) as error:
        raise DeliveryFailed(CHANNEL, f"{type(error).__name__}: {error}") from error
