"""From sums to figures: what adds up over forecasts, told as shares and errors. Nothing here reads anything."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypedDict

from predictions.models.accuracy_totals import BIN_COUNT, BIN_EDGES, BIN_TOTALS, SCALAR_TOTALS

TOTAL_NAMES = (*SCALAR_TOTALS, *BIN_TOTALS)
DECIMALS = 6
LEVELS = (80, 95, 99)
Totals = Mapping[str, Any]


class CalibrationBin(TypedDict):
    """Forecasts whose P(up) lay from `lower` to below `upper`: their mean P(up), and the share that rose."""

    lower: float
    upper: float
    n: int
    mean_probability: float
    share_up: float


class ForecastMetrics(TypedDict):
    """Every figure of some scored forecasts; None where there is nothing to divide by."""

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
    """BUY or SELL calls that could be judged."""

    n: int
    accuracy: float | None


class SignalMetricsSameDay(SignalMetrics):
    """Calls of one meaning, beside the share of all stocks of the same sessions that such a call would have fitted."""

    base_rate_same_day: float | None
    lift_same_day: float | None


class VolatilityMetrics(TypedDict):
    """Whether larger swings were said rightly, beside always saying so."""

    n: int
    accuracy: float | None
    base_rate: float | None


ZERO_TOTALS: Totals = {name: [0] * BIN_COUNT if name in BIN_TOTALS else 0 for name in TOTAL_NAMES}


def add_totals(rows: Iterable[Totals]) -> Totals:
    """The sums of all rows together."""
    total = dict(ZERO_TOTALS)
    for row in rows:
        for name in SCALAR_TOTALS:
            total[name] += row[name]
        for name in BIN_TOTALS:
            total[name] = [one + other for one, other in zip(total[name], row[name], strict=True)]
    return total


def compute_metrics(sums: Totals) -> ForecastMetrics:
    """The figures of these sums; accuracy is about up or not, its base rate what always saying "up" gets."""
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
    """BUY, and SELL by what it means; half of all stocks lag behind the median, whatever the session.

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
    """The bins that hold something, lowest first."""
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
    """part / whole with six decimals; None without a whole."""
    return round(float(part) / float(whole), DECIMALS) if whole else None


def _skill(loss: int | Decimal, naive: int | Decimal) -> float | None:
    """By how much the loss is below that of the naive forecast, as a share of it."""
    relative = ratio(loss, naive)
    return None if relative is None else round(1 - relative, DECIMALS)
