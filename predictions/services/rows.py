"""A model's forecasts as rows to store: rounded, with target sessions; an unusable number becomes an abstention."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import numpy as np

from marketdata.calendars import session_after
from marketdata.models import Instrument
from mlops.forecasting.drivers import Driver
from mlops.forecasting.serving import InstrumentForecast
from mlops.forecasting.types import FloatArray
from mlops.models import ModelVersion
from mlops.services.serving import Fit
from predictions.models import Forecast, Toolchain
from predictions.models.forecast_row import ForecastRow, InputKey
from predictions.services.rounding import LADDER, ladders_on_tick, probabilities, stored_prices

UNUSABLE = "the model gave numbers that cannot be used"
REASON_LENGTH = 200
PROBABILITIES = (
    "probability_up", "base_rate_up", "probability_beats_median", "confidence", "volatility_rises", "big_move",
)  # fmt: skip
NO_LADDER = (np.nan,) * len(LADDER)

# The key of each (symbol, horizon)'s input block.
InputKeys = Mapping[tuple[str, int], InputKey]


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


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The stored text of one forecast's numbers; None where one cannot be used."""

    last_price: str | None
    ladder: tuple[str, ...] | None
    probabilities: tuple[str | None, ...]


def rows_of(
    said: Iterable[InstrumentForecast],
    instruments: Mapping[str, Instrument],
    occasion: Occasion,
    *,
    inputs: InputKeys,
    tick: Decimal | None = None,
) -> Iterator[ForecastRow]:
    """A row for each forecast, in the order of symbols and horizons, its prices on `tick`, by default the instrument's.

    Rows are made one after the other, as they are asked for.
    """
    ordered = sorted(said, key=attrgetter("symbol", "horizon_sessions"))
    ticks = [tick or instruments[forecast.symbol].tick for forecast in ordered]
    for forecast, own_tick, numbers in zip(ordered, ticks, _numbers(ordered, ticks), strict=True):
        row = _row(forecast, instruments[forecast.symbol], occasion, numbers.last_price)
        row.inputs = inputs.get((forecast.symbol, forecast.horizon_sessions))
        row.tick = f"{own_tick:.6f}"
        if forecast.status == Forecast.Status.ISSUED:
            _complete(row, forecast, numbers)
        yield row


def _row(
    said: InstrumentForecast, instrument: Instrument, occasion: Occasion, last_price: str | None
) -> ForecastRow:
    """The row of an abstention, which is what every row begins as."""
    return ForecastRow(
        instrument=instrument,
        symbol=said.symbol,
        tick="",
        origin=occasion.origin,
        horizon_sessions=said.horizon_sessions,
        target=session_after(instrument.mic, occasion.origin, said.horizon_sessions),
        kind=str(occasion.kind),
        status=Forecast.Status.ABSTAINED.value,
        reasons=[reason[:REASON_LENGTH] for reason in said.reasons],
        last_price=last_price,
        model_version=occasion.version,
        fit=occasion.fit,
        toolchain=occasion.toolchain,
        data_source=instrument.source,
        basis_date=instrument.basis_date,
        inputs=None,
        recorded_at=occasion.now,
    )


def _complete(row: ForecastRow, said: InstrumentForecast, numbers: _Numbers) -> None:
    """Say what the model said, unless a number that has to be there cannot be used."""
    up = numbers.probabilities[0]
    if up is None or numbers.ladder is None or numbers.last_price is None:
        row.reasons = [UNUSABLE]
        return
    row.status = Forecast.Status.ISSUED.value
    for name, text in zip(LADDER, numbers.ladder, strict=True):
        setattr(row, name, text)
    for name, chance in zip(PROBABILITIES, numbers.probabilities, strict=True):
        setattr(row, name, chance)
    row.signal = said.signal
    row.signal_meaning = said.signal_meaning
    row.signal_reason = said.signal_reason[:REASON_LENGTH]
    row.risk_level = said.risk_level
    row.drivers = [_driver(driver) for driver in said.drivers]


def _driver(driver: Driver) -> dict[str, Any]:
    return {
        "name": driver.name,
        "words": driver.words,
        "contribution": round(driver.contribution, 6) + 0.0,
        "direction": driver.direction,
    }


def _numbers(said: Sequence[InstrumentForecast], ticks: Sequence[Decimal]) -> Iterator[_Numbers]:
    last_prices = stored_prices(_column(said, "last_price"))
    ladders = ladders_on_tick(np.array([_ladder(one) for one in said], dtype=np.float64).reshape(-1, len(LADDER)), ticks)
    chances = zip(*(probabilities(_column(said, name)) for name in PROBABILITIES), strict=True)
    return map(_Numbers, last_prices, ladders, chances)


def _column(said: Sequence[InstrumentForecast], name: str) -> FloatArray:
    """One number of each forecast, NaN where it is None."""
    return np.array([getattr(one, name) for one in said], dtype=np.float64)


def _ladder(said: InstrumentForecast) -> tuple[float | None, ...]:
    try:
        (low_80, high_80), (low_95, high_95), (low_99, high_99) = map((said.intervals or {}).__getitem__, (80, 95, 99))
    except KeyError:
        return NO_LADDER
    return low_99, low_95, low_80, said.predicted_price, high_80, high_95, high_99
