"""Who is asking on the stream, by session, key or token, and that a socket does not outlive them."""

import asyncio
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client as Browser
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.models import ApiKey, TokenFamily, User
from accounts.tests.factories import key_of, person, token_for
from accounts.wall_clock import utc_now
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
async def test_a_private_channel_requires_sign_in(signed_in: bool, answered: str) -> None:
    cookie = await asyncio.to_thread(session_cookie) if signed_in else f"{settings.SESSION_COOKIE_NAME}=unknown"
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address, additional_headers={"Cookie": cookie}) as connection:
            answer = await Client(connection).ask(action="subscribe", channel="levels", symbols=["AAPL"])
    assert answer["type"] == answered


async def subscribed(connection: ClientConnection) -> Client:
    """A client that has the snapshot of the private channel."""
    client = Client(connection)
    assert (await client.ask(action="subscribe", channel="levels", symbols=["AAPL"]))["type"] == "snapshot"
    return client


def credentials(kind: str) -> dict[str, str]:
    """The headers of a program."""
    try:
        owner = person()
        if kind == "token":
            return {"Authorization": f"Bearer {token_for(owner)}"}
        revoked_at = utc_now() if kind == "revoked key" else None
        scope = "manage" if kind == "key without reading" else "read"
        return {"X-API-Key": key_of(owner, scope, revoked_at=revoked_at)[1]}
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["key", "token"])
async def test_a_key_or_a_token_opens_private_channels(kind: str) -> None:
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


def end(kind: str, cookie: str) -> None:
    """End the credential of the socket, as the site does it."""
    try:
        match kind:
            case "key":
                row = ApiKey.objects.get()
                row.revoked_at = utc_now()
                row.save()
            case "token":
                family = TokenFamily.objects.get()
                family.revoked_at = utc_now()
                family.save()
            case "session":
                browser = Browser()
                browser.cookies[settings.SESSION_COOKIE_NAME] = cookie.partition("=")[2]
                assert browser.post("/accounts/logout/").status_code == 302
            case "person":
                user = User.objects.get()
                user.is_active = False
                user.save()
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("key", "revoked-key"),
        ("token", "revoked-token"),
        ("session", "ended-session"),
        ("person", "inactive-account"),
    ],
)
async def test_an_open_socket_ends_with_its_credential(kind: str, reason: str) -> None:
    cookie = await asyncio.to_thread(session_cookie) if kind == "session" else ""
    shown = "token" if kind == "token" else "key"
    headers = {"Cookie": cookie} if cookie else await asyncio.to_thread(credentials, shown)
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address) as open_to_all, open_client(address, additional_headers=headers) as connection:
            client = await subscribed(connection)
            await asyncio.to_thread(end, kind, cookie)
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, reason)
            assert await Client(open_to_all).ask(action="ping") == {"type": "pong"}


def short_lived(kind: str, seconds: float) -> dict[str, str]:
    """The headers of a program whose key or token ends soon."""
    try:
        owner = person()
        if kind == "key":
            return {"X-API-Key": key_of(owner, expires_at=utc_now() + timedelta(seconds=seconds))[1]}
        return {"Authorization": f"Bearer {token_for(owner, lifetime=timedelta(seconds=seconds))}"}
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["key", "token"])
async def test_a_socket_ends_when_its_key_or_token_expires(kind: str) -> None:
    # The exp of a token has whole seconds, so it ends up to one earlier.
    headers = await asyncio.to_thread(short_lived, kind, 3)
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address, additional_headers=headers) as connection:
            client = await subscribed(connection)
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, f"expired-{kind}")


@pytest.mark.django_db(transaction=True)
async def test_a_socket_outlives_the_first_end_of_a_key_that_got_more_time() -> None:
    headers = await asyncio.to_thread(short_lived, "key", 2)

    def extend() -> None:
        try:
            key = ApiKey.objects.get()
            key.expires_at = utc_now() + timedelta(days=1)
            key.save()
        finally:
            connections.close_all()

    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address, additional_headers=headers) as connection:
            client = await subscribed(connection)
            await asyncio.to_thread(extend)
            assert await client.silence(3.5)
            assert await client.ask(action="ping") == {"type": "pong"}


@pytest.mark.django_db(transaction=True)
async def test_a_socket_outlives_the_end_of_other_credentials() -> None:
    headers = await asyncio.to_thread(credentials, "key")

    def change_others() -> None:
        try:
            other = person()
            key, _ = key_of(other)
            key.revoked_at = utc_now()
            key.save()
        finally:
            connections.close_all()

    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels(is_private=True)}) as address:
        async with open_client(address, additional_headers=headers) as connection:
            client = await subscribed(connection)
            await asyncio.to_thread(change_others)
            assert await client.silence(1.5)
            assert await client.ask(action="ping") == {"type": "pong"}
