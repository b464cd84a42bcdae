"""Forecast rows from a model's forecasts: rounded, with target sessions; unusable numbers become an abstention."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import numpy as np
from django.db.models.base import ModelState

from marketdata.calendars import session_after
from marketdata.models import Instrument
from mlops.forecasting.drivers import Driver
from mlops.forecasting.serving import InstrumentForecast
from mlops.forecasting.types import FloatArray
from mlops.models import ModelVersion
from mlops.services.serving import Fit
from predictions.ledger_payload import decimal_text, instant_text
from predictions.live_window import live_window
from predictions.models import Forecast, ForecastInput, Toolchain
from predictions.services.rounding import INTERVAL_COLUMNS, intervals_on_tick, price_texts, probability_texts

UNUSABLE = "the model gave numbers that cannot be used"
REASON_LENGTH = 200
PROBABILITIES = (
    "probability_up", "base_rate_up", "probability_beats_median", "confidence", "volatility_rises", "big_move",
)  # fmt: skip
NO_INTERVALS = (np.nan,) * len(INTERVAL_COLUMNS)

# The input block of each (symbol, horizon).
ForecastInputs = Mapping[tuple[str, int], ForecastInput]

_DEFAULTS = {field.attname: field.get_default() for field in Forecast._meta.concrete_fields}


@dataclass(frozen=True, slots=True)
class PublicationContext:
    """Values that all forecasts of one publication share.

    Of kind `live`, rows recorded after their live window become late, and rows of (instrument key, horizon) pairs in
    `published`, which an earlier version has published from the origin, become republished.
    """

    version: ModelVersion
    origin: date
    kind: str
    now: datetime
    toolchain: Toolchain | None = None
    published: Set[tuple[int, int]] = frozenset()

    @property
    def fit(self) -> Fit:
        """The fit of the version that forecasts; for hindcasts the one that has not seen the outcomes."""
        return "holdout" if self.kind == Forecast.Kind.HINDCAST else "serving"


@dataclass(frozen=True, slots=True)
class _RoundedNumbers:
    """The decimal texts of one forecast's numbers; None for numbers that cannot be used."""

    last_price: str | None
    intervals: tuple[str, ...] | None
    probabilities: tuple[str | None, ...]


def forecast_rows(
    forecasts: Iterable[InstrumentForecast],
    instruments: Mapping[str, Instrument],
    context: PublicationContext,
    *,
    inputs: ForecastInputs,
    tick: Decimal | None = None,
) -> Iterator[Forecast]:
    """Yield an unsaved row for each forecast in the order of symbols and horizons, with prices on the tick.

    Decimals and the instant are canonical texts; `tick` replaces the instruments' ticks. Rows are made one at a time.
    """
    ordered = sorted(forecasts, key=attrgetter("symbol", "horizon_sessions"))
    ticks = [tick or instruments[forecast.symbol].tick for forecast in ordered]
    timings: dict[tuple[str, int], dict[str, Any]] = {}
    shared = {
        "origin": context.origin,
        "fit": context.fit,
        "recorded_at": instant_text(context.now),
    }
    for forecast, own_tick, numbers in zip(ordered, ticks, _round(ordered, ticks), strict=True):
        instrument, horizon = instruments[forecast.symbol], forecast.horizon_sessions
        if (instrument.mic, horizon) not in timings:
            timings[instrument.mic, horizon] = _timing(context, instrument.mic, horizon)
        columns = {
            **shared,
            **timings[instrument.mic, horizon],
            "symbol": forecast.symbol,
            "tick": decimal_text(own_tick),
            "horizon_sessions": horizon,
            "last_price": numbers.last_price,
            "data_source": instrument.source,
            "basis_date": instrument.basis_date,
            **_forecast_columns(forecast, numbers),
        }
        if (instrument.pk, horizon) in context.published:
            columns["kind"] = Forecast.Kind.REPUBLISHED.value
        yield _new_row(
            columns,
            instrument=instrument,
            model_version=context.version,
            toolchain=context.toolchain,
            inputs=inputs.get((forecast.symbol, horizon)),
        )


def _timing(context: PublicationContext, mic: str, horizon: int) -> dict[str, Any]:
    """Return the columns that follow from the exchange's calendar and the time of recording."""
    window = live_window(mic, context.origin)
    is_late = context.kind == Forecast.Kind.LIVE and context.now >= window.until
    return {
        "target": session_after(mic, context.origin, horizon),
        "origin_closed_at": instant_text(window.closed_at),
        "live_until": instant_text(window.until),
        "kind": Forecast.Kind.LATE.value if is_late else str(context.kind),
    }


def _new_row(columns: Mapping[str, Any], **relations: Any) -> Forecast:
    """Return an unsaved row, built as Django restores pickled rows: `__init__` is slow for thousands of rows."""
    row = Forecast.__new__(Forecast)
    row._state = ModelState()
    row._state.fields_cache = relations
    row.__dict__.update(_DEFAULTS)
    row.__dict__.update(columns)
    for name, referred in relations.items():
        row.__dict__[f"{name}_id"] = None if referred is None else referred.pk
    return row


def _forecast_columns(forecast: InstrumentForecast, numbers: _RoundedNumbers) -> dict[str, Any]:
    """Return the model's part of a row: its numbers, or an abstention if one of the required numbers is unusable."""
    issued = forecast.status == Forecast.Status.ISSUED
    reasons = [reason[:REASON_LENGTH] for reason in forecast.reasons]
    if issued and (numbers.intervals is None or None in (numbers.last_price, numbers.probabilities[0])):
        issued, reasons = False, [UNUSABLE]
    if not issued or numbers.intervals is None:
        return {"status": Forecast.Status.ABSTAINED.value, "reasons": reasons, "drivers": []}
    return {
        "status": Forecast.Status.ISSUED.value,
        "reasons": reasons,
        "signal": forecast.signal,
        "signal_meaning": forecast.signal_meaning,
        "signal_reason": forecast.signal_reason[:REASON_LENGTH],
        "risk_level": forecast.risk_level,
        "drivers": [_driver(driver) for driver in forecast.drivers],
        **dict(zip(INTERVAL_COLUMNS, numbers.intervals, strict=True)),
        **dict(zip(PROBABILITIES, numbers.probabilities, strict=True)),
    }


def _driver(driver: Driver) -> dict[str, str]:
    # Adding zero turns a negative zero into a positive one.
    contribution = f"{round(driver.contribution, 6) + 0.0:.6f}".rstrip("0").rstrip(".")
    return {
        "name": driver.name,
        "words": driver.words,
        "contribution": contribution,
        "direction": driver.direction,
    }


def _round(forecasts: Sequence[InstrumentForecast], ticks: Sequence[Decimal]) -> Iterator[_RoundedNumbers]:
    last_prices = price_texts(_column(forecasts, "last_price"))
    prices = np.array([_prices(each) for each in forecasts], dtype=np.float64).reshape(-1, len(INTERVAL_COLUMNS))
    intervals = intervals_on_tick(prices, ticks)
    probabilities = zip(*(probability_texts(_column(forecasts, name)) for name in PROBABILITIES), strict=True)
    return map(_RoundedNumbers, last_prices, intervals, probabilities)


def _column(forecasts: Sequence[InstrumentForecast], name: str) -> FloatArray:
    """Return one number of each forecast, NaN where it is None."""
    return np.array([getattr(each, name) for each in forecasts], dtype=np.float64)


def _prices(forecast: InstrumentForecast) -> tuple[float | None, ...]:
    intervals = forecast.intervals or {}
    try:
        (low_80, high_80), (low_95, high_95), (low_99, high_99) = (intervals[level] for level in (80, 95, 99))
    except KeyError:
        return NO_INTERVALS
    return low_99, low_95, low_80, forecast.predicted_price, high_80, high_95, high_99
