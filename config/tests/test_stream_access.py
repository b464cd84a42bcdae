"""Who is asking on the stream: the session of the site, or nobody."""

import asyncio

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client as Browser
from websockets.exceptions import InvalidStatus

from accounts.real_time import real_now
from accounts.tests.factories import key_of, person, token_for
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


def credentials(kind: str) -> dict[str, str]:
    """The headers of a program."""
    try:
        owner = person()
        if kind == "token":
            return {"Authorization": f"Bearer {token_for(owner)}"}
        revoked_at = real_now() if kind == "revoked key" else None
        scope = "manage" if kind == "key without reading" else "read"
        return {"X-API-Key": key_of(owner, scope, revoked_at=revoked_at)[1]}
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["key", "token"])
async def test_a_program_reads_private_channels_with_a_key_or_a_token(kind: str) -> None:
    headers = await asyncio.to_thread(credentials, kind)
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address, additional_headers=headers) as connection:
            answer = await Client(connection).ask(action="subscribe", channel="levels", symbols=["AAPL"])
    assert answer["type"] == "snapshot"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["revoked key", "key without reading"])
async def test_credentials_that_cannot_be_used_open_no_socket(kind: str) -> None:
    headers = await asyncio.to_thread(credentials, kind)
    redis_url = settings.HINDCAST_SITE.redis_url
    with running_edge(redis_url, {"levels": Levels()}) as address, pytest.raises(InvalidStatus) as refused:
        async with open_client(address, additional_headers=headers):
            pass
    assert refused.value.response.status_code == 403
