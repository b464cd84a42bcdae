"""The channel of alerts: a user's own, over that user's group."""

import asyncio

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.test import Client as Browser

from alerts.live import AlertChannel
from alerts.services.evaluation import evaluate_rules
from alerts.tests.factories import FIRST, NOW, close_at, person, price_rule
from config.tests.edge_server import Client, open_client, running_edge
from predictions.tests.factories import stock

CHANNEL = AlertChannel()


def test_only_signed_in_users_read_alerts() -> None:
    assert not CHANNEL.may_read(AnonymousUser())


@pytest.mark.django_db
def test_a_topic_belongs_to_one_user_and_stock() -> None:
    apple, ada, eve = stock(), person(), person("eve@example.com")
    price_rule(ada, apple, "100")
    close_at(apple, FIRST, "101")
    (alert,) = evaluate_rules(on=FIRST, now=NOW)
    own, other = (CHANNEL.topics_for(["aapl"], user=user).found[0] for user in (ada, eve))
    assert (own.owner_id, other.owner_id) == (ada.pk, eve.pk)
    contents = CHANNEL.snapshot([own, other], now=NOW)
    assert (contents[own.name]["subject"], contents[own.name]["session"]) == (alert.subject, FIRST.isoformat())
    assert (contents[other.name]["symbol"], contents[other.name]["subject"]) == ("AAPL", None)


def _sign_in_with_rule() -> str:
    """The cookie of a user with a rule that the next evaluation makes true."""
    try:
        browser, ada, apple = Browser(), person(), stock()
        price_rule(ada, apple, "100")
        close_at(apple, FIRST, "101")
        browser.force_login(ada)
        return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    finally:
        connections.close_all()


def _evaluate() -> str:
    try:
        return evaluate_rules(on=FIRST, now=NOW)[0].subject
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
async def test_a_raised_alert_arrives_at_the_owners_socket() -> None:
    cookie = await asyncio.to_thread(_sign_in_with_rule)
    with running_edge(settings.HINDCAST_SITE.redis_url, {"alerts": CHANNEL}) as address:
        async with open_client(address, additional_headers={"Cookie": cookie}) as connection:
            client = Client(connection)
            snapshot = await client.ask(action="subscribe", channel="alerts", symbols=["AAPL"])
            assert (snapshot["type"], snapshot["subject"]) == ("snapshot", None)
            subject = await asyncio.to_thread(_evaluate)
            change = await client.receive()
            assert (change["type"], change["symbol"], change["subject"]) == ("change", "AAPL", subject)
