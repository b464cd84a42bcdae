"""Delivery of alerts, at most once each, also over a real SMTP server."""

import email
import socket
from collections.abc import Sequence
from datetime import timedelta
from email.message import Message
from typing import Any, ClassVar

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from accounts.models import User
from alerts.models import Alert, DeliveryAttempt
from alerts.services.delivery import MAX_ATTEMPTS, deliver_pending
from alerts.services.evaluation import evaluate_rules
from alerts.tests.factories import FIRST, NOW, SECOND, close_at, person, price_rule
from predictions.tests.factories import stock

pytestmark = pytest.mark.django_db


class Inbox:
    """Records the messages sent to an SMTP server."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(email.message_from_bytes(envelope.content))
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


class Refusing:
    """An SMTP server that takes nothing."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        return "550 no such mailbox"


class WhileAnotherWorks(EmailBackend):
    """Accepts mails; during the first, another worker delivers the pending alerts."""

    others: ClassVar[list[int]] = []

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        if not self.others:
            self.others.append(-1)
            self.others[0] = deliver_pending(now=NOW)
        return super().send_messages(messages)


@pytest.fixture
def raised() -> Alert:
    apple = stock()
    price_rule(person(), apple, "100")
    close_at(apple, FIRST, "101")
    (alert,) = evaluate_rules(on=FIRST, now=NOW)
    return alert


def over_smtp(settings: Settings, handler: Any) -> Controller:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    return controller


def test_an_alert_reaches_its_owner_by_smtp_once(raised: Alert, settings: Settings) -> None:
    inbox = Inbox()
    controller = over_smtp(settings, inbox)
    try:
        assert deliver_pending(now=NOW) == 1
        assert deliver_pending(now=NOW) == 0
    finally:
        controller.stop()
    assert inbox.recipients == [["ada@example.com"]]
    (message,) = inbox.messages
    assert message["Subject"] == "AAPL closed at $101.00, above your alert at $100.00"
    text = message.as_string()
    assert "AAPL closed at $101.00, above your alert at $100.00, on " in text
    assert "/stocks/AAPL" in text
    assert DeliveryAttempt.objects.get().status == "sent"


def test_failed_attempt_is_recorded_and_retried(raised: Alert, settings: Settings) -> None:
    controller = over_smtp(settings, Refusing())
    try:
        assert deliver_pending(now=NOW) == 0
    finally:
        controller.stop()
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.status, "550" in attempt.error) == ("failed", True)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver_pending(now=NOW) == 1
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]


def test_no_retry_after_the_last_attempt(raised: Alert, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    for _ in range(MAX_ATTEMPTS + 1):
        assert deliver_pending(now=NOW) == 0
    assert DeliveryAttempt.objects.filter(status="failed").count() == MAX_ATTEMPTS
    raised.refresh_from_db()
    assert raised.sent_at is None


def test_inactive_user_gets_no_email(raised: Alert) -> None:
    User.objects.update(is_active=False)
    assert deliver_pending(now=NOW) == 0
    assert not mail.outbox
    User.objects.update(is_active=True)
    assert deliver_pending(now=NOW) == 1


def test_exhausted_alerts_need_no_query_each(raised: Alert, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for day in range(1, 4):
        Alert.objects.create(rule=raised.rule, session=SECOND + timedelta(days=day), subject="s", raised_at=NOW)
    for alert in Alert.objects.all():
        DeliveryAttempt.objects.bulk_create(
            DeliveryAttempt(alert=alert, channel="email", recipient="a@b.example", status="failed", started_at=NOW)
            for _ in range(MAX_ATTEMPTS)
        )
    with django_assert_num_queries(1):
        assert deliver_pending(now=NOW) == 0


def test_two_workers_send_each_alert_once(raised: Alert, settings: Settings) -> None:
    Alert.objects.create(rule=raised.rule, session=SECOND, subject="the second", body="b", raised_at=NOW)
    settings.EMAIL_BACKEND = f"{__name__}.{WhileAnotherWorks.__name__}"
    WhileAnotherWorks.others.clear()
    assert deliver_pending(now=NOW) == 1
    assert WhileAnotherWorks.others == [1]
    assert sorted(message.subject for message in mail.outbox) == [
        "AAPL closed at $101.00, above your alert at $100.00",
        "the second",
    ]
    assert DeliveryAttempt.objects.filter(status="sent").count() == 2
