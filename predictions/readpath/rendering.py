"""JSON representations of forecasts, shared by the API, the stream and the command line."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypedDict

from django.conf import settings

from mlops.forecasting.intervals.levels import LEVELS
from predictions.conf import DISCLAIMER
from predictions.models import Forecast
from predictions.models.forecast import PUBLISHED_KINDS
from predictions.selectors.track_record import Scope, TrackRecord, track_records

FRESH_FLAG, STALE_FLAG = b'"stale":false', b'"stale":true'
RENDER_BATCH_SIZE = 400

Records = Mapping[Scope, TrackRecord]

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Risk(TypedDict):
    """Probabilities of rising volatility and of a big move, and the risk level."""

    volatility_rises: float | None
    big_move: float | None
    level: str | None


class ForecastContent(TypedDict):
    """Content of a forecast, which never changes; an abstention has null numbers and `reasons`."""

    id: int
    status: str
    reasons: list[str]
    symbol: str
    as_of: str
    horizon: int
    target_date: str
    predicted_price: float | None
    last_price: float | None
    signal: str | None
    signal_meaning: str | None
    confidence: float | None
    probability_up: float | None
    base_rate_up: float | None
    confidence_interval: dict[str, list[float] | None]
    risk: Risk
    drivers: list[dict[str, Any]]
    kind: str
    model_version: str
    data_source: str
    disclaimer: str


class ForecastPayload(ForecastContent):
    """A forecast as served at one moment, with its track record and freshness."""

    record: TrackRecord
    stale: bool
    fresh_until: str


@dataclass(frozen=True, slots=True)
class RenderedForecast:
    """The payload of a forecast and its JSON."""

    payload: ForecastPayload
    json: bytes

    @property
    def stale_json(self) -> bytes:
        """The same JSON with `"stale": true`."""
        # Quotes inside a JSON string are escaped, so the flag cannot match anything but the field.
        return self.json.replace(FRESH_FLAG, STALE_FLAG)


def fresh_until(now: datetime) -> datetime:
    """Return the time until which a response rendered now is fresh."""
    return now + timedelta(seconds=settings.HINDCAST_FORECASTS.cache_seconds)


def render_forecasts(forecasts: Sequence[Forecast], *, stale: bool, now: datetime) -> list[RenderedForecast]:
    """Render forecasts to JSON."""
    return _render(forecasts, records=_track_records(forecasts), stale=stale, now=now)


def render_in_background(
    forecasts: Sequence[Forecast], *, stale: bool, now: datetime
) -> Iterator[list[RenderedForecast]]:
    """Render forecasts in batches in a thread that starts now, while the caller waits for the database or Redis.

    The thread runs no query: it would use a connection, and so a transaction, of its own.
    """
    records = _track_records(forecasts)
    parts = [forecasts[start : start + RENDER_BATCH_SIZE] for start in range(0, len(forecasts), RENDER_BATCH_SIZE)]
    maker = ThreadPoolExecutor(max_workers=1)
    made = maker.map(partial(_render, records=records, stale=stale, now=now), parts)
    maker.shutdown(wait=False)
    return made


def forecast_payloads(forecasts: Sequence[Forecast], *, stale: bool, now: datetime) -> list[ForecastPayload]:
    """Return payloads; track records are read in one query. Select instrument and model version with the forecasts.

    Forecasts of a version that is no longer champion are stale, whatever `stale` is.
    """
    return _payloads(forecasts, records=_track_records(forecasts), stale=stale, now=now)


def forecast_content(forecast: Forecast) -> ForecastContent:
    """Return the content of a forecast."""
    return {
        "id": forecast.pk,
        "status": str(forecast.status),
        "reasons": list(forecast.reasons),
        "symbol": forecast.instrument.symbol,
        "as_of": forecast.origin.isoformat(),
        "horizon": forecast.horizon_sessions,
        "target_date": forecast.target.isoformat(),
        "predicted_price": _number(forecast.predicted_price),
        "last_price": _number(forecast.last_price),
        "signal": str(forecast.signal) or None,
        "signal_meaning": forecast.signal_meaning or None,
        "confidence": _number(forecast.confidence),
        "probability_up": _number(forecast.probability_up),
        "base_rate_up": _number(forecast.base_rate_up),
        "confidence_interval": {f"{level}%": _interval(forecast, level) for level in LEVELS},
        "risk": {
            "volatility_rises": _number(forecast.volatility_rises),
            "big_move": _number(forecast.big_move),
            "level": forecast.risk_level or None,
        },
        "drivers": [{**driver, "contribution": float(driver["contribution"])} for driver in forecast.drivers],
        "kind": str(forecast.kind),
        "model_version": forecast.model_version.version,
        "data_source": forecast.data_source,
        "disclaimer": DISCLAIMER,
    }


def stored_payload(forecast: Forecast) -> dict[str, Any]:
    """Return the content of a forecast with its provenance and ledger hashes; reads toolchain and inputs."""
    return {
        **forecast_content(forecast),
        "symbol": forecast.symbol,
        "recorded_at": forecast.recorded_at.astimezone(UTC).isoformat(),
        "origin_closed_at": forecast.origin_closed_at.astimezone(UTC).isoformat(),
        "live_until": forecast.live_until.astimezone(UTC).isoformat(),
        "fit": str(forecast.fit),
        "model_sha256": forecast.model_version.artifact_sha256,
        "toolchain": None if forecast.toolchain is None else forecast.toolchain.by_name,
        "inputs_sha256": None if forecast.inputs is None else forecast.inputs.sha256,
        "previous_hash": forecast.previous_hash,
        "entry_hash": forecast.entry_hash,
    }


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Encode a payload as JSON. Raises ValueError for NaN and infinity."""
    return _ENCODER.encode(body).encode()


def entity_tag(text: bytes) -> str:
    """Return the entity tag of a body."""
    return f'"{hashlib.blake2b(text, digest_size=12).hexdigest()}"'


def _track_records(forecasts: Sequence[Forecast]) -> Records:
    return track_records([_scope(forecast) for forecast in forecasts]) if forecasts else {}


def _render(forecasts: Sequence[Forecast], *, records: Records, stale: bool, now: datetime) -> list[RenderedForecast]:
    return [
        RenderedForecast(body, encode_json(body))
        for body in _payloads(forecasts, records=records, stale=stale, now=now)
    ]


def _payloads(forecasts: Sequence[Forecast], *, records: Records, stale: bool, now: datetime) -> list[ForecastPayload]:
    until = fresh_until(now).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        {
            **forecast_content(forecast),
            "record": records[_scope(forecast)],
            "stale": stale or not forecast.serves,
            "fresh_until": until,
        }
        for forecast in forecasts
    ]


def _scope(forecast: Forecast) -> Scope:
    """Every published forecast comes with the live record, hindcasts with their own."""
    kind = Forecast.Kind.LIVE.value if forecast.kind in PUBLISHED_KINDS else str(forecast.kind)
    return kind, forecast.horizon_sessions, forecast.instrument_id


def _number(value: Decimal | str | None) -> float | None:
    return None if value is None else float(value)


def _interval(forecast: Forecast, level: int) -> list[float] | None:
    lower, upper = getattr(forecast, f"lower_{level}"), getattr(forecast, f"upper_{level}")
    return None if lower is None or upper is None else [float(lower), float(upper)]
