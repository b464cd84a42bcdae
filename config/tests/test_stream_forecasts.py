"""The channel of forecasts: topics, snapshots and changes, with the bodies of the API."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries

from marketdata.live import Topic, messages_key, sequence_key
from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.conf import HORIZONS
from predictions.live.forecasts import ForecastChannel, ForecastMessage, push_forecasts
from predictions.readpath.rendering import render_forecasts
from predictions.tests.factories import bar, forecasts, model_version, stock
from store.client import redis_client

NOW = datetime(2023, 9, 15, 1, 0, tzinfo=UTC)


@pytest.fixture
def apple(db: None) -> Instrument:
    model_version()
    return stock()


def topic_of(instrument: Instrument) -> Topic:
    return Topic(instrument.symbol, f"forecasts.instrument.{instrument.pk}")


def test_forecasts_are_public() -> None:
    assert ForecastChannel().may_read(AnonymousUser())


def test_a_topic_is_made_of_a_key_and_found_by_any_spelling(apple: Instrument) -> None:
    berkshire = stock("BRK.B")
    topics = ForecastChannel().topics_for(["aapl", "BRK-B", "brk/b", "ZZZZ", "<b>"], user=None)
    assert topics.found == (topic_of(apple), topic_of(berkshire))
    assert [type(error).__name__ for error in topics.errors] == ["SymbolUnknown", "SymbolMalformed"]


def test_many_symbols_are_found_by_one_query(
    apple: Instrument, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = [stock(f"X{number}").symbol for number in range(20)]
    with django_assert_num_queries(1):
        assert len(ForecastChannel().topics_for(["AAPL", *names], user=None).found) == 21


def test_a_snapshot_is_the_newest_forecast_of_every_horizon(
    apple: Instrument, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    stored = forecasts([apple], HORIZONS)
    other = stock("NVDA")
    with django_assert_max_num_queries(len(HORIZONS) + 3):
        contents = ForecastChannel().snapshot([topic_of(apple), topic_of(other)], now=NOW)
    content = contents[topic_of(apple).name]
    assert (content["symbol"], content["as_of"]) == ("AAPL", "2023-09-14")
    assert [body["horizon"] for body in content["forecasts"]] == [1, 5, 10, 20]
    assert [body["id"] for body in content["forecasts"]] == [row.pk for row in stored]
    # No bar is stored, so the store is behind the exchange.
    assert content["stale"] is True
    assert contents[topic_of(other).name] == {"symbol": "NVDA", "as_of": None, "stale": False, "forecasts": []}


def test_a_snapshot_of_a_predecessors_forecast_is_stale(apple: Instrument) -> None:
    bar(apple, NOW.date(), "100")
    (row,) = forecasts([apple])
    assert ForecastChannel().snapshot([topic_of(apple)], now=NOW)[topic_of(apple).name]["stale"] is False
    ModelVersion.objects.filter(pk=row.model_version_id).update(stage=ModelVersion.Stage.RETIRED)
    assert ForecastChannel().snapshot([topic_of(apple)], now=NOW)[topic_of(apple).name]["stale"] is True


def test_a_publication_is_one_numbered_message_a_stock(apple: Instrument) -> None:
    nvidia = stock("NVDA")
    rows = forecasts([apple, nvidia], HORIZONS)
    store = redis_client()
    for instrument in (apple, nvidia):
        store.delete(sequence_key(topic_of(instrument).name), messages_key(topic_of(instrument).name))
    messages: list[ForecastMessage] = [
        {"instrument_id": row.instrument_id, "rendered": answer}
        for row, answer in zip(rows, render_forecasts(rows, stale=False, now=NOW), strict=True)
    ]
    assert push_forecasts(messages) == 2
    (text,) = store.lrange(messages_key(topic_of(apple).name), 0, -1)
    message = json.loads(text)
    assert (message["seq"], message["type"], message["channel"], message["symbol"]) == (
        1,
        "change",
        "forecasts",
        "AAPL",
    )
    assert [body["horizon"] for body in message["forecasts"]] == [1, 5, 10, 20]
    assert message["forecasts"][0] == json.loads(messages[0]["rendered"].json)


def test_no_forecasts_send_nothing() -> None:
    assert push_forecasts([]) == 0


def test_a_failed_push_does_not_fail_the_caller(apple: Instrument) -> None:
    (row,) = forecasts([apple])
    elsewhere = replace(settings.HINDCAST_SITE, redis_url="redis://127.0.0.1:1/0")
    (answer,) = render_forecasts([row], stale=False, now=NOW)
    message: ForecastMessage = {"instrument_id": apple.pk, "rendered": answer}
    with override_settings(HINDCAST_SITE=elsewhere):
        assert push_forecasts([message]) == 0
