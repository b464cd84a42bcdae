"""Answers that are made ahead, while their maker's caller waits, are the same answers."""

from itertools import chain

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from predictions.models import Forecast
from predictions.readpath.cache import cache_key, store_responses
from predictions.readpath.rendering import RENDER_BATCH_SIZE, render_forecasts, render_in_background
from predictions.services.publishing import store_forecasts
from predictions.services.rows import PublicationContext
from predictions.tests.factories import EVENING, NOW, ORIGIN, at, forecast, model_version, stock
from predictions.tests.model_forecasts import model_forecast
from store.client import redis_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


def test_precomputed_answers_equal_direct_ones_in_order(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    model_version()
    one, other = (forecast(stock(symbol)) for symbol in ("AAPL", "META"))
    many = [one] * RENDER_BATCH_SIZE + [other]
    expected = render_forecasts(many, stale=False, now=NOW)
    with django_assert_num_queries(2):
        parts = list(render_in_background(many, stale=False, now=NOW))
    assert [len(part) for part in parts] == [RENDER_BATCH_SIZE, 1]
    assert list(chain.from_iterable(parts)) == expected
    assert expected[-1].payload["symbol"] == "META"


@pytest.mark.usefixtures("no_store")
def test_without_redis_every_batch_is_still_returned() -> None:
    model_version()
    row = forecast(stock())
    parts = [render_forecasts([row], stale=False, now=NOW), render_forecasts([row], stale=False, now=NOW)]
    assert store_responses(parts, stale=False, now=NOW) == [*parts[0], *parts[1]]


def test_a_rolled_back_publication_is_not_announced(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    version, apple = model_version(), stock()
    context = PublicationContext(version, ORIGIN, Forecast.Kind.LIVE, EVENING)
    with django_capture_on_commit_callbacks(execute=True) as callbacks, transaction.atomic():
        store_forecasts(
            forecasts=[model_forecast()], instruments={apple.symbol: apple}, context=context, clock=at(EVENING)
        )
        transaction.set_rollback(True)
    assert (callbacks, Forecast.objects.count()) == ([], 0)
    with django_capture_on_commit_callbacks(execute=True):
        store_forecasts(
            forecasts=[model_forecast()], instruments={apple.symbol: apple}, context=context, clock=at(EVENING)
        )
    assert redis_client().exists(cache_key(version.version, "AAPL", 5))
