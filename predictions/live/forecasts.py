"""The live channel "forecasts": what a page is told when a stock's forecasts change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

import structlog
from redis.exceptions import RedisError

from marketdata.live import Topic, Topics, instrument_topics, publish_encoded
from marketdata.selectors import prices_are_stale
from marketdata.watched_instruments import mark_watched
from predictions.conf import HORIZONS
from predictions.readpath.rendering import ForecastPayload, RenderedForecast, encode_json, forecast_payloads
from predictions.selectors.forecasts import latest_forecasts

log = structlog.get_logger(__name__)

NAME = "forecasts"
TOPIC_PREFIX = "forecasts.instrument."


class ForecastMessage(TypedDict):
    """One published forecast: whose it is, and the API's answer."""

    instrument_id: int
    answer: RenderedForecast


def may_read(user: object) -> bool:
    """Forecasts are public."""
    return True


def topics_for(symbols: Sequence[str], *, user: object) -> Topics:
    """The topic of each symbol, however it is written, and an error for each that has none."""
    return instrument_topics(symbols, TOPIC_PREFIX)


def snapshot(topics: Sequence[Topic], *, now: datetime) -> dict[str, dict[str, Any]]:
    """What each topic would say now, by topic name: the champion's latest forecast for every horizon."""
    stale = prices_are_stale(now=now)
    keys = {topic.name: topic.instrument_pk for topic in topics}
    latest = [one for horizon in HORIZONS for one in latest_forecasts(horizon, among=keys.values()).values()]
    bodies: dict[int, list[ForecastPayload]] = {key: [] for key in keys.values()}
    for forecast, body in zip(latest, forecast_payloads(latest, stale=stale, now=now), strict=True):
        bodies[forecast.instrument_id].append(body)
    return {topic.name: _content(topic.symbol, bodies[keys[topic.name]]) for topic in topics}


def watch(topics: Sequence[Topic], *, until: datetime) -> None:
    """Note that somebody looks at these topics until then: their prices are asked for as well."""
    mark_watched([topic.instrument_pk for topic in topics], until=until)


def push_forecasts(messages: Sequence[ForecastMessage]) -> int:
    """Tell everybody who follows these stocks, one message a stock; returns how many left. To be called after commit.

    A store that cannot be reached costs the push and nothing else: an open page is brought up to date when it is back.
    """
    told: dict[int, list[RenderedForecast]] = {}
    for message in messages:
        told.setdefault(message["instrument_id"], []).append(message["answer"])
    outgoing = [(f"{TOPIC_PREFIX}{key}", _text(of_one)) for key, of_one in told.items()]
    try:
        return len(publish_encoded(outgoing))
    except RedisError as error:
        log.warning("forecasts_not_pushed", topics=len(outgoing), reason=type(error).__name__)
        return 0


def _text(told: Sequence[RenderedForecast]) -> bytes:
    """The message about one stock, put together from answers that are bytes already."""
    bodies = [answer.body for answer in told]
    head = {"type": "change", "channel": NAME, **_head(bodies[0]["symbol"], bodies)}
    return encode_json(head)[:-1] + b',"forecasts":[' + b",".join([answer.text for answer in told]) + b"]}"


def _content(symbol: str, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part that a snapshot and a change share."""
    return {**_head(symbol, bodies), "forecasts": list(bodies)}


def _head(symbol: str, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`as_of` is the newest session any of the forecasts knew."""
    return {
        "symbol": symbol,
        "as_of": max((body["as_of"] for body in bodies), default=None),
        "stale": any(body["stale"] for body in bodies),
    }
