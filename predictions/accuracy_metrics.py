"""Metrics computed from accuracy totals; pure functions."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypedDict

from mlops.forecasting.intervals.levels import LEVELS
from predictions.models.accuracy_totals import BIN_COUNT, BIN_EDGES, BIN_TOTALS, SCALAR_TOTALS

TOTAL_NAMES = (*SCALAR_TOTALS, *BIN_TOTALS)
DECIMALS = 6
Totals = Mapping[str, Any]


class CalibrationBin(TypedDict):
    """Forecasts with P(up) from `lower` to below `upper`: mean P(up) and share that rose."""

    lower: float
    upper: float
    n: int
    mean_probability: float
    share_up: float


class ForecastMetrics(TypedDict):
    """Metrics of scored forecasts; None where the denominator is zero."""

    n: int
    hits: int
    accuracy: float | None
    base_rate: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    brier: float | None
    brier_skill: float | None
    log_loss: float | None
    coverage: dict[str, float | None]
    price_mae_skill: float | None
    price_mse_skill: float | None
    buy: "SignalMetrics"
    sell: "SignalMetrics"
    volatility: "VolatilityMetrics"


class SignalMetrics(TypedDict):
    """Number and accuracy of scored BUY or SELL signals."""

    n: int
    accuracy: float | None


class SignalMetricsSameDay(SignalMetrics):
    """Signals of one meaning, with the rate at which the same signal was correct for all stocks on the same days."""

    base_rate_same_day: float | None
    lift_same_day: float | None


class VolatilityMetrics(TypedDict):
    """Accuracy of volatility direction, with the baseline that always predicts a rise."""

    n: int
    accuracy: float | None
    base_rate: float | None


ZERO_TOTALS: Totals = {name: [0] * BIN_COUNT if name in BIN_TOTALS else 0 for name in TOTAL_NAMES}


def add_totals(rows: Iterable[Totals]) -> Totals:
    """Add up the totals of all rows."""
    total = dict(ZERO_TOTALS)
    for row in rows:
        for name in SCALAR_TOTALS:
            total[name] += row[name]
        for name in BIN_TOTALS:
            total[name] = [one + other for one, other in zip(total[name], row[name], strict=True)]
    return total


def compute_metrics(sums: Totals) -> ForecastMetrics:
    """Compute the metrics of these totals; the base rate is the accuracy of always predicting "up"."""
    n, base = sums["n"], ratio(sums["ups"], sums["n"])
    brier = ratio(sums["brier"], n)
    return {
        "n": n,
        "hits": sums["hits"],
        "accuracy": ratio(sums["hits"], n),
        "base_rate": base,
        "precision": ratio(sums["predicted_up_hits"], sums["predicted_up"]),
        "recall": ratio(sums["predicted_up_hits"], sums["ups"]),
        "f1": ratio(2 * sums["predicted_up_hits"], sums["predicted_up"] + sums["ups"]),
        "brier": brier,
        "brier_skill": _skill(sums["brier"] * n, sums["ups"] * (n - sums["ups"])),
        "log_loss": ratio(sums["log_loss"], n),
        "coverage": {str(level): ratio(sums[f"inside_{level}"], n) for level in LEVELS},
        "price_mae_skill": _skill(sums["absolute_error"], sums["absolute_naive"]),
        "price_mse_skill": _skill(sums["squared_error"], sums["squared_naive"]),
        "buy": {"n": sums["buys"], "accuracy": ratio(sums["buy_hits"], sums["buys"])},
        "sell": {"n": sums["sells"], "accuracy": ratio(sums["sell_hits"], sums["sells"])},
        "volatility": {
            "n": sums["volatility_calls"],
            "accuracy": ratio(sums["volatility_hits"], sums["volatility_calls"]),
            "base_rate": ratio(sums["volatility_rises"], sums["volatility_calls"]),
        },
    }


def signal_metrics(
    sums: Totals, buy_chances: Decimal | int, risk_chances: Decimal | int
) -> dict[str, SignalMetricsSameDay]:
    """Metrics of BUY and of each meaning of SELL; half of all stocks lag behind the median on every day.

    chances: how many of the calls would have come true, had each been made on any stock of its session.
    """
    lags, lag_hits = sums["sells"] - sums["risks"], sums["sell_hits"] - sums["risk_hits"]
    return {
        "buy": _signal_metrics(sums["buys"], sums["buy_hits"], buy_chances),
        "sell_lag": _signal_metrics(lags, lag_hits, lags / 2),
        "sell_risk": _signal_metrics(sums["risks"], sums["risk_hits"], risk_chances),
    }


def _signal_metrics(n: int, hits: int, chances: Decimal | float) -> SignalMetricsSameDay:
    return {
        "n": n,
        "accuracy": ratio(hits, n),
        "base_rate_same_day": ratio(chances, n),
        "lift_same_day": ratio(hits - float(chances), n),
    }


def calibration_bins(sums: Totals) -> list[CalibrationBin]:
    """Return the bins with forecasts, lowest first."""
    bounds = (0.0, *BIN_EDGES, 1.0)
    rows = zip(bounds, bounds[1:], *(sums[name] for name in BIN_TOTALS), strict=False)
    return [
        {
            "lower": lower,
            "upper": upper,
            "n": n,
            "mean_probability": round(float(probability) / n, DECIMALS),
            "share_up": round(ups / n, DECIMALS),
        }
        for lower, upper, n, ups, probability in rows
        if n
    ]


def ratio(part: float | Decimal, whole: int | Decimal) -> float | None:
    """Return part / whole with six decimals; None if whole is zero."""
    return round(float(part) / float(whole), DECIMALS) if whole else None


def _skill(loss: int | Decimal, naive: int | Decimal) -> float | None:
    """Return the relative reduction of the loss against the naive forecast."""
    relative = ratio(loss, naive)
    return None if relative is None else round(1 - relative, DECIMALS)
