"""The live channel `forecasts`: new forecasts of an instrument, pushed to its subscribers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

import structlog
from redis.exceptions import RedisError

from marketdata.live import MAX_SEARCHES, Topic, Topics, instrument_topics, publish_encoded
from marketdata.selectors import prices_are_stale
from marketdata.watched_instruments import mark_watched
from predictions.conf import HORIZONS
from predictions.readpath.rendering import ForecastPayload, RenderedForecast, encode_json, forecast_payloads
from predictions.selectors.forecasts import latest_forecasts

log = structlog.get_logger(__name__)

TOPIC_PREFIX = "forecasts.instrument."


class ForecastMessage(TypedDict):
    """One published forecast as the API renders it, and the key of its instrument."""

    instrument_id: int
    rendered: RenderedForecast


class ForecastChannel:
    """One topic per instrument; its state is the champion's latest forecast for every horizon."""

    NAME = "forecasts"

    def may_read(self, user: object) -> bool:
        """Return True: forecasts are public."""
        return True

    def topics_for(self, symbols: Sequence[str], *, user: object, searches: int = MAX_SEARCHES) -> Topics:
        """Resolve symbols in any spelling to topics, with an error for each unknown one."""
        return instrument_topics(symbols, TOPIC_PREFIX, searches=searches)

    def snapshot(self, topics: Sequence[Topic], *, now: datetime) -> dict[str, dict[str, Any]]:
        """Map topic names to the champion's latest forecasts for every horizon."""
        stale = prices_are_stale(now=now)
        keys = {topic.name: topic.instrument_pk for topic in topics}
        latest = [one for horizon in HORIZONS for one in latest_forecasts(horizon, among=keys.values()).values()]
        bodies: dict[int, list[ForecastPayload]] = {key: [] for key in keys.values()}
        for forecast, body in zip(latest, forecast_payloads(latest, stale=stale, now=now), strict=True):
            bodies[forecast.instrument_id].append(body)
        return {topic.name: _content(topic.symbol, bodies[keys[topic.name]]) for topic in topics}

    def watch(self, topics: Sequence[Topic], *, until: datetime) -> None:
        """Mark the instruments of these topics as watched until then, so that their quotes are fetched."""
        mark_watched([topic.instrument_pk for topic in topics], until=until)


def push_forecasts(messages: Sequence[ForecastMessage]) -> int:
    """Push forecasts to subscribers, one message per instrument, and return the number of messages. Call after commit.

    If Redis is unreachable the push is lost; open pages catch up once it is back.
    """
    by_instrument: dict[int, list[RenderedForecast]] = {}
    for message in messages:
        by_instrument.setdefault(message["instrument_id"], []).append(message["rendered"])
    outgoing = [(f"{TOPIC_PREFIX}{key}", _message(group)) for key, group in by_instrument.items()]
    try:
        return len(publish_encoded(outgoing))
    except RedisError as error:
        log.warning("forecasts_not_pushed", topics=len(outgoing), reason=type(error).__name__)
        return 0


def _message(group: Sequence[RenderedForecast]) -> bytes:
    """Compose the message about one instrument from forecasts that are already encoded."""
    bodies = [one.payload for one in group]
    header = {"type": "change", "channel": ForecastChannel.NAME, **_header(bodies[0]["symbol"], bodies)}
    return encode_json(header)[:-1] + b',"forecasts":[' + b",".join([one.json for one in group]) + b"]}"


def _content(symbol: str, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content that a snapshot and a change share."""
    return {**_header(symbol, bodies), "forecasts": list(bodies)}


def _header(symbol: str, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the header of a message; `as_of` is the newest origin among the forecasts."""
    return {
        "symbol": symbol,
        "as_of": max((body["as_of"] for body in bodies), default=None),
        "stale": any(body["stale"] for body in bodies),
    }
