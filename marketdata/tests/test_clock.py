"""Real and simulated clock."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from marketdata import clock
from store.client import redis_client

SIMULATED = datetime(2023, 6, 1, 20, 30, tzinfo=UTC)


@pytest.fixture
def simulated_clock(settings: Settings) -> Iterator[None]:
    settings.HINDCAST_MARKETDATA = replace(settings.HINDCAST_MARKETDATA, clock="simulated")
    yield
    redis_client().delete(clock.KEY)


@pytest.mark.usefixtures("simulated_clock")
def test_processes_share_the_simulated_clock() -> None:
    assert clock.simulated() is None
    clock.set_simulated(SIMULATED)
    assert (clock.now(), clock.simulated()) == (SIMULATED, SIMULATED)


def test_real_clock_cannot_be_set() -> None:
    before = timezone.now()
    assert before <= clock.now() <= timezone.now()
    with pytest.raises(ValueError, match="the real clock cannot be set"):
        clock.set_simulated(SIMULATED)
    assert clock.simulated() is None


@pytest.mark.django_db
@pytest.mark.usefixtures("simulated_clock")
def test_time_lapse_pages_show_a_notice(client: Client) -> None:
    clock.set_simulated(SIMULATED)
    for path in ("/", "/clock"):
        page = client.get(path).content.decode()
        assert "Time-lapse:" in page
        assert "1 Jun 2023" in page


@pytest.mark.django_db
def test_ordinary_pages_show_no_notice(client: Client) -> None:
    assert "Time-lapse" not in client.get("/").content.decode()
    assert client.get("/clock").status_code == 404
