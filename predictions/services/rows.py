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
from predictions.sealing import instant_text
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
    targets: dict[tuple[str, int], date] = {}
    recorded_at = instant_text(occasion.now)
    for forecast, own_tick, numbers in zip(ordered, ticks, _numbers(ordered, ticks), strict=True):
        instrument, horizon = instruments[forecast.symbol], forecast.horizon_sessions
        if (instrument.mic, horizon) not in targets:
            targets[instrument.mic, horizon] = session_after(instrument.mic, occasion.origin, horizon)
        yield ForecastRow(
            instrument=instrument,
            symbol=forecast.symbol,
            tick=f"{own_tick:.6f}",
            origin=occasion.origin,
            horizon_sessions=horizon,
            target=targets[instrument.mic, horizon],
            kind=str(occasion.kind),
            last_price=numbers.last_price,
            model_version=occasion.version,
            fit=occasion.fit,
            toolchain=occasion.toolchain,
            data_source=instrument.source,
            basis_date=instrument.basis_date,
            inputs=inputs.get((forecast.symbol, horizon)),
            recorded_at=recorded_at,
            **_told(forecast, numbers),
        )


def _told(said: InstrumentForecast, numbers: _Numbers) -> dict[str, Any]:
    """What the model said, or why it said nothing, also when a number that has to be there cannot be used."""
    issued = said.status == Forecast.Status.ISSUED
    if issued and (numbers.ladder is None or None in (numbers.last_price, numbers.probabilities[0])):
        return {"status": Forecast.Status.ABSTAINED.value, "reasons": [UNUSABLE]}
    reasons = [reason[:REASON_LENGTH] for reason in said.reasons]
    if not issued or numbers.ladder is None:
        return {"status": Forecast.Status.ABSTAINED.value, "reasons": reasons}
    return {
        "status": Forecast.Status.ISSUED.value,
        "reasons": reasons,
        "signal": said.signal,
        "signal_meaning": said.signal_meaning,
        "signal_reason": said.signal_reason[:REASON_LENGTH],
        "risk_level": said.risk_level,
        "drivers": [_driver(driver) for driver in said.drivers],
        **dict(zip(LADDER, numbers.ladder, strict=True)),
        **dict(zip(PROBABILITIES, numbers.probabilities, strict=True)),
    }


def _driver(driver: Driver) -> dict[str, Any]:
    return {
        "name": driver.name,
        "words": driver.words,
        "contribution": round(driver.contribution, 6) + 0.0,
        "direction": driver.direction,
    }


def _numbers(said: Sequence[InstrumentForecast], ticks: Sequence[Decimal]) -> Iterator[_Numbers]:
    last_prices = stored_prices(_column(said, "last_price"))
    ladders = ladders_on_tick(
        np.array([_ladder(one) for one in said], dtype=np.float64).reshape(-1, len(LADDER)), ticks
    )
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
