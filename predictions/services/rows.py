"""A model's forecasts as rows to store: rounded, with target sessions; an unusable number becomes an abstention."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np

from marketdata.calendars import session_after
from marketdata.models import Instrument
from mlops.forecasting.serving import InstrumentForecast
from mlops.forecasting.types import FloatArray
from mlops.models import ModelVersion
from mlops.services.serving import Fit
from predictions.models import Forecast, ForecastInput, Toolchain
from predictions.services.rounding import LEVELS, PriceBand, band_on_tick, probability, stored_price

UNUSABLE = "the model gave numbers that cannot be used"
REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the forecasts of one publication share."""

    version: ModelVersion
    origin: date
    kind: str
    now: datetime
    toolchain: Toolchain | None = None

    @property
    def fit(self) -> Fit:
        """Which of the version's two fits speaks: of the past the one that had not seen it."""
        return "holdout" if self.kind == Forecast.Kind.HINDCAST else "serving"


def rows_of(
    said: Iterable[InstrumentForecast], instruments: Mapping[str, Instrument], occasion: Occasion
) -> list[Forecast]:
    """One unsaved row for each forecast, in the order of symbols and horizons."""
    ordered = sorted(said, key=lambda forecast: (forecast.symbol, forecast.horizon_sessions))
    return [row_of(forecast, instruments[forecast.symbol], occasion) for forecast in ordered]


def input_of(forecast: InstrumentForecast, instrument: Instrument, occasion: Occasion) -> ForecastInput | None:
    """The block the forecast was computed from, little-endian float64 in row order, compressed; None without one."""
    if forecast.inputs is None:
        return None
    numbers: FloatArray = np.atleast_2d(forecast.inputs)
    raw = np.ascontiguousarray(numbers, dtype="<f8").tobytes()
    return ForecastInput(
        instrument=instrument,
        origin=occasion.origin,
        feature_set=occasion.version.feature_set,
        sha256=hashlib.sha256(raw).hexdigest(),
        rows=numbers.shape[0],
        columns=numbers.shape[1],
        block=zlib.compress(raw),
    )


def row_of(
    said: InstrumentForecast, instrument: Instrument, occasion: Occasion, *, tick: Decimal | None = None
) -> Forecast:
    """The unsaved row of one forecast, its prices on `tick`, by default the instrument's."""
    row = Forecast(
        instrument=instrument,
        symbol=said.symbol,
        tick=tick or instrument.tick,
        origin=occasion.origin,
        horizon_sessions=said.horizon_sessions,
        target=session_after(instrument.mic, occasion.origin, said.horizon_sessions),
        kind=occasion.kind,
        last_price=stored_price(said.last_price),
        model_version=occasion.version,
        fit=occasion.fit,
        toolchain=occasion.toolchain,
        data_source=instrument.source,
        basis_date=instrument.basis_date,
        recorded_at=occasion.now,
    )
    if said.status != Forecast.Status.ISSUED:
        return _abstaining(row, said.reasons)
    up = probability(said.probability_up)
    band = band_on_tick(said.predicted_price, said.intervals, tick=tick or instrument.tick)
    if up is None or band is None or row.last_price is None:
        return _abstaining(row, [UNUSABLE])
    row.probability_up = up
    return _issued(row, said, band)


def _abstaining(row: Forecast, reasons: Iterable[str]) -> Forecast:
    row.status = Forecast.Status.ABSTAINED
    row.reasons = [reason[:REASON_LENGTH] for reason in reasons]
    return row


def _issued(row: Forecast, said: InstrumentForecast, band: PriceBand) -> Forecast:
    row.status = Forecast.Status.ISSUED
    row.reasons = [reason[:REASON_LENGTH] for reason in said.reasons]
    row.predicted_price = band.price
    for level in LEVELS:
        lower, upper = band.intervals[level]
        setattr(row, f"lower_{level}", lower)
        setattr(row, f"upper_{level}", upper)
    row.base_rate_up = probability(said.base_rate_up)
    row.probability_beats_median = probability(said.probability_beats_median)
    row.confidence = probability(said.confidence)
    row.volatility_rises = probability(said.volatility_rises)
    row.big_move = probability(said.big_move)
    row.signal = said.signal
    row.signal_meaning = said.signal_meaning
    row.signal_reason = said.signal_reason[:REASON_LENGTH]
    row.risk_level = said.risk_level
    row.drivers = [
        {
            "name": driver.name,
            "words": driver.words,
            "contribution": round(float(driver.contribution), 6) + 0.0,
            "direction": driver.direction,
        }
        for driver in said.drivers
    ]
    return row
