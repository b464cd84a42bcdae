"""Fixtures of account tests: cleared counters, a password, and a user who accepted the documents."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services.agreements import accept_documents

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_counts() -> Iterator[None]:
    """Attempts of other tests do not count."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(db: None) -> User:
    """A user with a password who accepted the current terms."""
    user = User.objects.create_user("ada@example.com", PASSWORD)
    accept_documents(user=user, now=timezone.now())
    return user


@pytest.fixture
def signed_in(client: Client, ada: User) -> Client:
    """A browser in which Ada signed in by the page."""
    answer = client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    return client
