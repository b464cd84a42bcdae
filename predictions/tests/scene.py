"""A small market that page and browser tests look at: stocks with bars, a champion, its forecasts."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from marketdata.models import DailyBar, Instrument
from mlops.models import ModelVersion
from mlops.tests.factories import model_version
from predictions.conf import HORIZONS
from predictions.models import Forecast, Outcome
from predictions.services.ledger import seal_outcomes
from predictions.tests.factories import chained, live_columns

ORIGIN = date(2023, 9, 21)
NOW = datetime(2023, 9, 21, 22, 5, tzinfo=UTC)
TARGETS = {1: date(2023, 9, 22), 5: date(2023, 9, 28), 10: date(2023, 10, 5), 20: date(2023, 10, 19)}
NAMES = {"AAPL": "Apple Inc.", "BRK.B": "Berkshire Hathaway Inc. Class B", "NVDA": "NVIDIA Corporation"}
SIX_DECIMALS = Decimal("0.000001")
SESSIONS = 90
HOLDOUT = {
    "accuracy": 0.548,
    "base_rate": 0.546,
    "n": 1482,
    "coverage": {"80": 0.802, "95": 0.951, "99": 0.99},
    "volatility_rises": {"accuracy": 0.661, "auc": 0.72, "base_rate": 0.502},
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Objects of the scene; forecasts by symbol and horizon."""

    instruments: dict[str, Instrument]
    version: ModelVersion
    forecasts: dict[tuple[str, int], Forecast]


def trained(version: str = "v1", stage: str = ModelVersion.Stage.CHAMPION) -> ModelVersion:
    """A version with hold-out figures for 5 sessions; its files do not exist."""
    dates = {
        "trained_through": ORIGIN,
        "holdout_trained_through": date(2022, 9, 20),
        "holdout_first": date(2022, 9, 21),
        "holdout_last": ORIGIN,
    }
    return model_version(version, stage=stage, metrics={"horizons": {"5": HOLDOUT}}, created_at=NOW, **dates)


def stocks_with_bars() -> dict[str, Instrument]:
    """Three active stocks whose closes rise in waves and end with 100, 200 and 300 dollars on the origin."""
    stocks = {}
    for rank, (symbol, name) in enumerate(NAMES.items(), start=1):
        stock = Instrument.objects.create(symbol=symbol, mic="XNYS", name=name, source="sample", basis_date=ORIGIN)
        DailyBar.objects.bulk_create(_bars(stock, last=100 * rank))
        stocks[symbol] = stock
    return stocks


def scene() -> Scene:
    """Stocks, a champion and its forecasts from the origin; BRK.B has no call over 20 sessions."""
    stocks = stocks_with_bars()
    version = trained()
    forecasts = {
        (symbol, horizon): issued_forecast(stock, version, horizon)
        for symbol, stock in stocks.items()
        for horizon in HORIZONS
        if (symbol, horizon) != ("BRK.B", 20)
    }
    forecasts["BRK.B", 20] = abstained_forecast(stocks["BRK.B"], version, 20)
    return Scene(stocks, version, forecasts)


def issued_forecast(stock: Instrument, version: ModelVersion, horizon: int, **fields: Any) -> Forecast:
    """An issued forecast: 2 % up, 80 % range from -3 to +7 %, 95 % from -6 to +10 %, P(up) 58 beside 54 %."""
    last = DailyBar.objects.filter(instrument=stock).order_by("-session").values_list("close", flat=True)[0]

    def times(factor: str) -> Decimal:
        return (last * Decimal(factor)).quantize(SIX_DECIMALS)

    row = {
        "status": Forecast.Status.ISSUED,
        "last_price": last,
        "predicted_price": times("1.02"),
        "probability_up": Decimal("0.58"),
        "base_rate_up": Decimal("0.54"),
        "probability_beats_median": Decimal("0.5"),
        "signal": Forecast.Signal.BUY if horizon == 5 else Forecast.Signal.HOLD,
        "signal_meaning": "rise" if horizon == 5 else "",
        "signal_reason": "The chance of a rise is 4 points above usual." if horizon == 5 else "No proven edge.",
        "confidence": Decimal("0.58"),
        "lower_80": times("0.97"),
        "upper_80": times("1.07"),
        "lower_95": times("0.94"),
        "upper_95": times("1.10"),
        "lower_99": times("0.90"),
        "upper_99": times("1.15"),
        "volatility_rises": None if horizon == 1 else Decimal("0.43"),
        "big_move": Decimal("0.21"),
        "risk_level": "elevated",
        "drivers": [
            {"name": "ret_5", "words": "Fell over the last week", "contribution": "0.02", "direction": "up"},
            {"name": "vol", "words": "Restless of late", "contribution": "-0.01", "direction": "down"},
        ],
    }
    return _stored(stock, version, horizon, row | fields)


def abstained_forecast(stock: Instrument, version: ModelVersion, horizon: int) -> Forecast:
    """An abstention with one reason."""
    reason = "Too little history: 90 sessions, 252 are needed."
    return _stored(stock, version, horizon, {"status": Forecast.Status.ABSTAINED, "reasons": [reason]})


def record_outcome(forecast: Forecast, *, right: bool, revision: int = 0) -> Outcome:
    """The outcome of a forecast of a rise: the price went up if it was right, and stayed inside 80 % either way."""
    assert forecast.predicted_price is not None
    outcome = Outcome(
        forecast=forecast,
        origin=forecast.origin,
        revision=revision,
        actual_price=forecast.predicted_price,
        went_up=right,
        direction_right=right,
        inside_80=True,
        inside_95=True,
        inside_99=True,
        recorded_at=NOW,
    )
    seal_outcomes([outcome])
    outcome.save(force_insert=True)
    return outcome


def _stored(stock: Instrument, version: ModelVersion, horizon: int, fields: dict[str, Any]) -> Forecast:
    row = {
        "origin": ORIGIN,
        "target": TARGETS[horizon],
        **live_columns(stock.mic, fields.get("origin", ORIGIN), fields.get("kind", Forecast.Kind.LIVE), after=NOW),
        "fit": Forecast.Fit.SERVING,
        "symbol": stock.symbol,
        "data_source": "sample",
        "basis_date": ORIGIN,
    } | fields
    (forecast,) = chained([Forecast(instrument=stock, horizon_sessions=horizon, model_version=version, **row)])
    return forecast


def _bars(stock: Instrument, *, last: int) -> list[DailyBar]:
    weekdays = [day for back in range(3 * SESSIONS) if (day := ORIGIN - timedelta(days=back)).weekday() < 5]
    bars = []
    for back, session in enumerate(weekdays[:SESSIONS]):
        close = Decimal(last) * Decimal(str(round(1 - 0.002 * back + 0.03 * math.sin(back / 4), 4)))
        swing = Decimal("1.01") if back % 2 else Decimal("0.99")
        prices = (close, close * swing)
        bars.append(
            DailyBar(
                instrument=stock, session=session, open=prices[1], high=max(prices), low=min(prices), close=close,
                adjusted_close=close, volume=1_000_000, source="sample", fetched_at=NOW,
            )
        )  # fmt: skip
    return bars
