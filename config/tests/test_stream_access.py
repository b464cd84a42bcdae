"""Who is asking on the stream: the session of the site, or nobody."""

import asyncio

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client as Browser

from config.tests.edge_server import Client, Levels, open_client, running_edge


def session_cookie() -> str:
    """The cookie of a person who just signed in."""
    try:
        browser = Browser()
        browser.force_login(get_user_model().objects.create_user("person@example.org", "a long password"))
        return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("signed_in", "answered"), [(True, "snapshot"), (False, "error")])
async def test_a_private_channel_is_for_people_who_are_signed_in(signed_in: bool, answered: str) -> None:
    cookie = await asyncio.to_thread(session_cookie) if signed_in else f"{settings.SESSION_COOKIE_NAME}=nobody"
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address, additional_headers={"Cookie": cookie}) as connection:
            answer = await Client(connection).ask(action="subscribe", channel="levels", symbols=["AAPL"])
    assert answer["type"] == answered
