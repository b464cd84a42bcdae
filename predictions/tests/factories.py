"""Rows that forecast tests start from; forecasts are chained as publishing chains them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from marketdata.calendars import session_after, sessions_between
from marketdata.clock import Clock
from marketdata.models import CorporateAction, DailyBar, Instrument
from marketdata.sql import fetch_rows
from marketdata.tests import factories as market
from mlops.models import ModelVersion
from mlops.tests import factories as models
from predictions.live_window import live_window
from predictions.models import Forecast
from predictions.services import ledger

ORIGIN = date(2023, 9, 14)
# An evening within the live window of forecasts from the origin.
EVENING = datetime(2023, 9, 14, 22, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
TARGET = date(2023, 9, 21)
NOW = datetime(2023, 9, 21, 22, 5, tzinfo=UTC)


def stock(symbol: str = "AAPL", **fields: Any) -> Instrument:
    """An active instrument with a history from the sample."""
    return market.stock(symbol, **{"mic": "XNAS", "source": "sample", "basis_date": ORIGIN} | fields)


def model_version(name: str = "v1", **fields: Any) -> ModelVersion:
    """A registered version without metrics, by default the champion."""
    dates = {
        "trained_through": date(2023, 9, 1),
        "holdout_trained_through": date(2022, 9, 1),
        "holdout_first": date(2022, 9, 2),
        "holdout_last": date(2023, 9, 1),
    }
    champion = {"stage": ModelVersion.Stage.CHAMPION, "metrics": {}, "created_at": NOW}
    return models.model_version(name, **dates | champion | fields)


def bar(instrument: Instrument, session: date, close: str, **fields: Any) -> DailyBar:
    """A final bar whose four prices are the close."""
    return market.flat_bar(instrument, session, close, **{"source": "sample", "fetched_at": NOW} | fields)


def split(instrument: Instrument, session: date, value: str) -> CorporateAction:
    """A split into `value` new shares for one old."""
    kind = CorporateAction.Kind.SPLIT
    return CorporateAction.objects.create(
        instrument=instrument, session=session, kind=kind, value=Decimal(value), source="sample"
    )


def forecasts(instruments: Iterable[Instrument], horizons: Iterable[int] = (5,), **fields: Any) -> list[Forecast]:
    """Stored forecasts, one for each instrument and horizon, at the end of the chain.

    A price of 102 from 100, 80 % within 99 to 105, 95 % within 95 to 109, 99 % within 90 to 115, P(up) .56 over .54.
    """
    newest = fetch_rows(ledger.NEWEST_TIME_SQL)[0][0]
    rows = [_row(instrument, horizon, fields, newest) for instrument in instruments for horizon in horizons]
    return chained(rows)


def at(instant: datetime) -> Clock:
    """A clock that stands still."""
    return lambda: instant


def chained(rows: list[Forecast]) -> list[Forecast]:
    """Store the rows at the end of the chain."""
    ids = ledger.reserve_ids("predictions_forecast", len(rows))
    return Forecast.objects.bulk_create(ledger.chain_forecasts(rows, ids=ids, after=ledger.newest_hash()))


def forecast(instrument: Instrument, **fields: Any) -> Forecast:
    """One stored forecast over 5 sessions, at the end of the chain."""
    horizon = fields.pop("horizon_sessions", 5)
    return forecasts([instrument], [horizon], **fields)[0]


def abstention(instrument: Instrument, **fields: Any) -> Forecast:
    """One stored abstention."""
    numbers = ("predicted_price", "probability_up", "base_rate_up", "confidence", "big_move", "volatility_rises")
    bounds = [f"{side}_{level}" for side in ("lower", "upper") for level in (80, 95, 99)]
    empty = dict.fromkeys([*numbers, *bounds])
    silent = {"status": "abstained", "reasons": ["too little history"], "signal": "", "risk_level": "", "drivers": []}
    return forecast(instrument, **empty | silent | fields)


def live_columns(mic: str, origin: date, kind: str, *, after: datetime | None = None) -> dict[str, Any]:
    """Kind, window and a time of recording that fits the kind, not before `after`; an origin may be no session."""
    window = live_window(mic, sessions_between(mic, origin - timedelta(days=7), origin)[-1])
    published = {Forecast.Kind.LIVE: window.closed_at + HOUR, Forecast.Kind.LATE: window.until + HOUR}
    fitting = published.get(Forecast.Kind(kind), max(NOW, window.closed_at))
    recorded_at = fitting if after is None else max(fitting, after)
    return {
        "kind": kind, "origin_closed_at": window.closed_at, "live_until": window.until, "recorded_at": recorded_at
    }  # fmt: skip


def _row(instrument: Instrument, horizon: int, fields: Mapping[str, Any], newest: datetime | None) -> Forecast:
    origin = fields.get("origin", ORIGIN)
    defaults: Mapping[str, Any] = {
        "instrument": instrument,
        "symbol": instrument.symbol,
        "tick": instrument.tick,
        "origin": origin,
        "horizon_sessions": horizon,
        "target": session_after(instrument.mic, origin, horizon),
        **live_columns(instrument.mic, origin, fields.get("kind", Forecast.Kind.LIVE), after=newest),
        "status": Forecast.Status.ISSUED,
        "last_price": Decimal(100),
        "predicted_price": Decimal(102),
        "probability_up": Decimal("0.56"),
        "base_rate_up": Decimal("0.54"),
        "signal": "HOLD",
        "signal_reason": "no proven edge",
        "confidence": Decimal("0.56"),
        **{f"lower_{level}": Decimal(bound) for level, bound in ((80, 99), (95, 95), (99, 90))},
        **{f"upper_{level}": Decimal(bound) for level, bound in ((80, 105), (95, 109), (99, 115))},
        "volatility_rises": None if horizon == 1 else Decimal("0.61"),
        "big_move": Decimal("0.12"),
        "risk_level": "normal",
        "drivers": [{"name": "rsi_14", "words": "a rising price", "contribution": "0.031234", "direction": "up"}],
        "model_version": fields.get("model_version") or ModelVersion.objects.get(stage=ModelVersion.Stage.CHAMPION),
        "fit": Forecast.Fit.SERVING,
        "data_source": instrument.source,
        "basis_date": instrument.basis_date,
    }
    return Forecast(**{**defaults, **fields})
