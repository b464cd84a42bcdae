"""Publishing: each forecast once, in one chain, announced after commit."""

import json
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from marketdata.clock import Clock
from marketdata.live import messages_key
from marketdata.models import Instrument
from mlops.errors import InsufficientHistory, NoChampion
from mlops.models import ModelVersion
from predictions import tasks
from predictions.errors import ClockBehind, OriginRefused
from predictions.live_window import live_window
from predictions.models import Forecast, ForecastInput
from predictions.readpath.cache import FIELDS, cache_key
from predictions.readpath.rendering import entity_tag
from predictions.selectors.forecasts import latest_forecast
from predictions.services.publishing import PublishReport, announce_champion, publish_forecasts, store_forecasts
from predictions.services.rows import UNUSABLE, PublicationContext
from predictions.services.verification import verify_ledger
from predictions.tests.factories import EVENING, NOW, ORIGIN, TARGET, at, bar, forecast, model_version, stock
from predictions.tests.model_forecasts import model_forecast
from store.client import redis_client

IN_TIME = at(EVENING)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


@pytest.fixture
def version() -> ModelVersion:
    return model_version()


@pytest.fixture
def apple() -> Instrument:
    return stock()


@pytest.fixture
def publish(
    version: ModelVersion, apple: Instrument, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Callable[..., PublishReport]:
    """Store a model's forecasts of the one instrument and commit."""
    bar(apple, ORIGIN, "100")

    def run(
        *forecasts: Any, kind: str = Forecast.Kind.LIVE, by: ModelVersion = version, clock: Clock = IN_TIME
    ) -> PublishReport:
        with django_capture_on_commit_callbacks(execute=True):
            return store_forecasts(
                forecasts=forecasts or [model_forecast(), model_forecast(horizon=1)],
                instruments={apple.symbol: apple},
                context=PublicationContext(by, ORIGIN, kind, EVENING),
                clock=clock,
            )

    return run


def topic_key(instrument: Instrument) -> str:
    return messages_key(f"forecasts.instrument.{instrument.pk}")


def pushed(instrument: Instrument) -> int:
    return int(redis_client().llen(topic_key(instrument)))


def test_forecasts_are_stored_rounded_and_chained_with_their_target(publish: Callable[..., PublishReport]) -> None:
    assert publish() == PublishReport(origin=ORIGIN, version="v1", created=2, existing=0, abstained=0)
    one, five = Forecast.objects.order_by("horizon_sessions")
    # 14 September 2023 is a Thursday: one session on is Friday the 15th, five are Thursday the 21st.
    assert (one.target, five.target) == (date(2023, 9, 15), TARGET)
    assert [str(five.predicted_price), str(five.lower_80), str(five.upper_80)] == [
        "101.230000000000", "98.120000000000", "104.130000000000",
    ]  # fmt: skip
    assert str(five.probability_up) == "0.561235"
    assert [driver["contribution"] for driver in five.drivers] == ["0.031235", "0"]
    assert (five.data_source, five.recorded_at, one.volatility_rises) == ("sample", EVENING, None)
    assert verify_ledger().forecasts == 2


def test_a_second_run_changes_nothing_and_pushes_nothing(
    publish: Callable[..., PublishReport], apple: Instrument
) -> None:
    publish()
    before = list(Forecast.objects.order_by("pk").values_list("pk", "entry_hash"))
    messages = pushed(apple)
    redis_client().delete(cache_key("v1", "AAPL", 5))
    again = publish(model_forecast(predicted_price=102.0), model_forecast(horizon=1))
    assert again == PublishReport(origin=ORIGIN, version="v1", created=0, existing=2, abstained=0)
    assert list(Forecast.objects.order_by("pk").values_list("pk", "entry_hash")) == before
    assert pushed(apple) == messages == 1
    assert not redis_client().exists(cache_key("v1", "AAPL", 5))


def test_a_later_horizon_joins_the_same_chain(publish: Callable[..., PublishReport]) -> None:
    publish(model_forecast(horizon=1))
    assert publish(model_forecast(horizon=1), model_forecast(horizon=20)).created == 1
    assert verify_ledger().forecasts == 2


def test_inputs_are_stored_once_for_all_horizons(publish: Callable[..., PublishReport]) -> None:
    publish()
    block = ForecastInput.objects.get()
    assert (block.rows, block.columns, block.feature_set) == (2, 3, "hc3")
    numbers = np.frombuffer(zlib.decompress(block.block), dtype="<f8").reshape(2, 3)
    np.testing.assert_array_equal(numbers, [[0, 1, 2], [3, 4, 5]])
    assert set(Forecast.objects.values_list("inputs", flat=True)) == {block.pk}


@pytest.mark.parametrize(
    "unusable",
    [
        {"predicted_price": float("nan")},
        {"predicted_price": -3.0},
        {"probability_up": float("nan")},
        {"last_price": None},
        {"intervals": None},
        {"intervals": {80: (103.0, 104.0), 95: (95.0, 108.0), 99: (91.0, 113.0)}},
        {"intervals": {80: (98.0, 104.0), 95: (95.0, 108.0), 99: (96.0, 113.0)}},
    ],
)
def test_numbers_that_cannot_be_used_become_an_abstention(
    publish: Callable[..., PublishReport], unusable: dict[str, Any]
) -> None:
    assert publish(model_forecast(**unusable)).abstained == 1
    row = Forecast.objects.get()
    assert (row.reasons, row.predicted_price, row.lower_80, row.signal) == ([UNUSABLE], None, None, "")


def test_an_abstention_is_stored_and_pushed_with_its_reasons(
    publish: Callable[..., PublishReport], apple: Instrument
) -> None:
    silent = model_forecast(status="abstained", reasons=("too little history",), predicted_price=None, inputs=None)
    assert publish(silent).abstained == 1
    row = Forecast.objects.get()
    assert (row.status, row.reasons, row.inputs) == ("abstained", ["too little history"], None)
    assert pushed(apple) == 1


def test_both_representations_are_cached_for_a_week_after_commit(publish: Callable[..., PublishReport]) -> None:
    publish()
    redis: Any = redis_client()
    made, until, status, _, tag, fresh, stale = redis.hmget(cache_key("v1", "AAPL", 5), FIELDS)
    assert (float(made), float(until)) == (EVENING.timestamp(), EVENING.timestamp() + 600)
    assert b'"predicted_price":101.23,' in fresh
    assert b'"stale":true' in stale
    assert (status, tag.decode()) == (b"issued", entity_tag(fresh))
    assert 6 * 86_400 < redis.ttl(cache_key("v1", "AAPL", 5)) <= 7 * 86_400
    assert redis.get("champion") == b"v1"


def test_a_hindcast_is_stored_and_not_pushed(publish: Callable[..., PublishReport], apple: Instrument) -> None:
    publish(kind=Forecast.Kind.HINDCAST)
    assert Forecast.objects.filter(kind="hindcast").count() == 2
    assert pushed(apple) == 0
    assert not redis_client().exists(cache_key("v1", "AAPL", 5))


@pytest.mark.usefixtures("no_store")
def test_without_the_store_the_rows_are_still_stored(publish: Callable[..., PublishReport]) -> None:
    assert publish().created == 2
    assert verify_ledger().forecasts == 2


def test_the_number_of_queries_does_not_grow_with_the_number_of_stocks(
    version: ModelVersion, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stocks = {symbol: stock(symbol) for symbol in ("AAPL", "META", "NVDA", "NFLX")}
    forecasts = [model_forecast(symbol, horizon) for symbol in stocks for horizon in (1, 5, 10, 20)]
    # savepoint and its release, lock, newest time, first forecasts of the session, what is known; known input blocks,
    # keys and new ones; keys, head, rows; for the answers how old the prices are, the records and how many stocks there
    # are; report
    with django_assert_num_queries(16):
        store_forecasts(
            forecasts=forecasts,
            instruments=stocks,
            context=PublicationContext(version, ORIGIN, Forecast.Kind.LIVE, EVENING),
            clock=at(EVENING),
        )
    assert Forecast.objects.count() == 16


def test_stored_forecasts_are_found_without_calling_the_model(
    publish: Callable[..., PublishReport],
) -> None:
    publish(*(model_forecast(horizon=horizon) for horizon in (1, 5, 10, 20)))
    tasks.publish_task()
    tasks.publish_task(ORIGIN.isoformat())
    assert publish_forecasts(clock=at(NOW)) == PublishReport(
        origin=ORIGIN, version="v1", created=0, existing=4, abstained=0
    )


def test_a_restored_champion_pushes_its_stored_forecasts_again(
    publish: Callable[..., PublishReport],
    apple: Instrument,
    version: ModelVersion,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    publish(*(model_forecast(horizon=horizon) for horizon in (1, 5, 10, 20)))
    hindcast = forecast(apple, model_version=version, kind=Forecast.Kind.HINDCAST)
    redis_client().delete(cache_key("v1", "AAPL", 5))
    with django_capture_on_commit_callbacks(execute=True):
        assert announce_champion(clock=at(NOW)).created == 0
    messages = [json.loads(message) for message in redis_client().lrange(topic_key(apple), 0, -1)]
    assert len(messages) == 2
    newest = max(messages, key=lambda message: message["seq"])
    assert sorted(body["horizon"] for body in newest["forecasts"]) == [1, 5, 10, 20]
    assert hindcast.pk not in [body["id"] for body in newest["forecasts"]]
    assert redis_client().exists(cache_key("v1", "AAPL", 5))
    tasks.announce()
    assert pushed(apple) == 3


def test_the_time_of_recording_decides_between_live_and_late(
    publish: Callable[..., PublishReport], apple: Instrument
) -> None:
    opening = live_window(apple.mic, ORIGIN).until
    publish(model_forecast(horizon=1), clock=at(opening - timedelta(microseconds=1)))
    publish(model_forecast(horizon=5), clock=at(opening))
    stored = Forecast.objects.order_by("pk").values_list("horizon_sessions", "kind", "live_until")
    assert list(stored) == [(1, "live", opening), (5, "late", opening)]


def test_a_later_version_republishes_and_serves(
    publish: Callable[..., PublishReport], version: ModelVersion, apple: Instrument
) -> None:
    publish(model_forecast(horizon=1))
    ModelVersion.objects.update(stage="retired")
    second = model_version("v2")
    publish(model_forecast(horizon=1), model_forecast(horizon=5), by=second)
    assert publish(model_forecast(horizon=1), by=second).created == 0
    stored = Forecast.objects.order_by("pk").values_list("model_version", "horizon_sessions", "kind")
    # The first forecast over five sessions is the second version's own.
    assert list(stored) == [(version.pk, 1, "live"), (second.pk, 1, "republished"), (second.pk, 5, "live")]
    newest = latest_forecast(apple, 1)
    assert newest is not None
    assert (newest.kind, newest.model_version) == ("republished", second)


def test_a_late_republication_is_republished(publish: Callable[..., PublishReport]) -> None:
    publish(model_forecast(horizon=1))
    publish(model_forecast(horizon=1), by=model_version("v2", stage="retired"), clock=at(NOW))
    assert [*Forecast.objects.order_by("pk").values_list("kind", flat=True)] == ["live", "republished"]


def test_a_clock_before_the_close_publishes_nothing(version: ModelVersion, apple: Instrument) -> None:
    bar(apple, ORIGIN, "100")
    with pytest.raises(OriginRefused, match="no exchange has closed such a session at 2023-09-14 19:59 UTC"):
        publish_forecasts(clock=at(datetime(2023, 9, 14, 19, 59, tzinfo=UTC)))
    assert not Forecast.objects.exists()


def test_a_clock_behind_the_ledger_publishes_nothing(publish: Callable[..., PublishReport]) -> None:
    publish(model_forecast(horizon=1), clock=at(NOW))
    with pytest.raises(ClockBehind):
        publish(model_forecast(horizon=5), clock=at(EVENING))
    assert Forecast.objects.count() == 1


def test_nothing_is_published_without_a_model_or_without_prices(apple: Instrument) -> None:
    with pytest.raises(NoChampion):
        publish_forecasts(clock=at(NOW))
    with pytest.raises(CommandError, match=r"^No model has been trained yet. Run `manage.py train` first.$"):
        call_command("publish")
    model_version()
    with pytest.raises(InsufficientHistory):
        publish_forecasts(clock=at(NOW))


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (date(2022, 9, 1), "was trained on sessions up to 2022-09-01"),
        (date(2023, 9, 10), "no exchange has closed such a session"),
        (date(2023, 9, 18), "no bar of that session is stored"),
    ],
)
def test_a_hindcast_starts_from_a_stored_session_the_model_had_not_seen(
    version: ModelVersion, apple: Instrument, origin: date, why: str
) -> None:
    bar(apple, ORIGIN, "100")
    with pytest.raises(OriginRefused, match=why):
        publish_forecasts(clock=at(NOW), origin=origin)
    with pytest.raises(CommandError, match=why):
        call_command("publish", origin=origin.isoformat())


def test_a_date_that_is_none_is_a_bad_argument() -> None:
    with pytest.raises(CommandError, match=r"--origin must be a date") as error:
        call_command("publish", origin="yesterday")
    assert error.value.returncode == 2
