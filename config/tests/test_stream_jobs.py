"""The channel of jobs: a user's own batches only."""

import asyncio
import uuid
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.test import Client as Browser

from accounts.models import User
from config.tests.edge_server import Client, open_client, running_edge
from marketdata import clock
from mlops.tests.factories import model_version
from predictions.live.jobs import JobChannel
from predictions.models import BatchJob
from predictions.services.batch import open_batch, process_piece


def person(name: str) -> User:
    return get_user_model().objects.create_user(f"{name}@example.com", "correct horse")


def batch_of(owner: User) -> BatchJob:
    return open_batch(owner_id=owner.pk, words=["NOBODY"], horizon=5, now=clock.now())


def test_only_signed_in_users_have_jobs() -> None:
    assert not JobChannel().may_read(AnonymousUser())
    assert JobChannel().may_read(User(email="ada@example.com"))


@pytest.mark.django_db
def test_a_topic_is_found_by_its_owner_only() -> None:
    ada, eve = person("ada"), person("eve")
    own, theirs = str(batch_of(ada).pk), str(batch_of(eve).pk)
    topics = JobChannel().topics_for([own, theirs, str(uuid.uuid4()), "x"], user=ada)
    assert [(topic.symbol, topic.name) for topic in topics.found] == [(own, f"jobs.batch.{own}")]
    assert [type(error).__name__ for error in topics.errors] == ["BatchUnknown"] * 3
    assert JobChannel().topics_for([own], user=AnonymousUser()).found == ()


def _signed_in() -> tuple[str, str, Callable[[], bool]]:
    """The cookie of a person, their job, and the way to have it answered."""
    try:
        browser, ada = Browser(), person("ada")
        model_version("v1", stage="champion")
        browser.force_login(ada)
        job = batch_of(ada)
        piece_pk = job.pieces.get().pk
        cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
        return cookie, str(job.pk), lambda: _answered(piece_pk)
    finally:
        connections.close_all()


def _answered(piece_pk: int) -> bool:
    try:
        return process_piece(piece_pk=piece_pk, now=clock.now())
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
async def test_progress_arrives_at_the_owners_socket() -> None:
    cookie, job, answer = await asyncio.to_thread(_signed_in)
    with running_edge(settings.HINDCAST_SITE.redis_url, {"jobs": JobChannel()}) as address:
        async with open_client(address, additional_headers={"Cookie": cookie}) as connection:
            client = Client(connection)
            now = await client.ask(action="subscribe", channel="jobs", symbols=[job])
            assert (now["type"], now["symbol"], now["state"], now["done"]) == ("snapshot", job, "waiting", 0)
            assert await asyncio.to_thread(answer)
            change = await client.receive()
            assert (change["type"], change["state"], change["done"], change["problems"]) == ("change", "done", 1, 1)
