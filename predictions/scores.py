"""From sums to figures: what adds up over forecasts, told as shares and errors. Nothing here reads anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from predictions.models.accuracy_sums import BIN_EDGES, BIN_SUMS, BINS, PLAIN_SUMS

SUM_NAMES = (*PLAIN_SUMS, *BIN_SUMS)
DECIMALS = 6
LEVELS = (80, 95, 99)
Sums = Mapping[str, Any]


class CalibrationBin(TypedDict):
    """Forecasts whose P(up) lay from `lower` to below `upper`: their mean P(up), and the share that rose."""

    lower: float
    upper: float
    n: int
    mean_probability: float
    share_up: float


class Figures(TypedDict):
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
    buy: "Calls"
    sell: "Calls"
    volatility: "Swings"


class Calls(TypedDict):
    """BUY or SELL calls that could be judged."""

    n: int
    accuracy: float | None


class CallFigures(Calls):
    """Calls of one meaning, beside the share of all stocks of the same sessions that such a call would have fitted."""

    base_rate_same_day: float | None
    lift_same_day: float | None


class Swings(TypedDict):
    """Whether larger swings were said rightly, beside always saying so."""

    n: int
    accuracy: float | None
    base_rate: float | None


@dataclass(frozen=True, slots=True)
class Band:
    """The share of intervals that held, beside the share that should."""

    level: int
    held: float | None


NOTHING: Sums = {name: [0] * BINS if name in BIN_SUMS else 0 for name in SUM_NAMES}


def added(rows: Iterable[Sums]) -> Sums:
    """The sums of all rows together."""
    total = dict(NOTHING)
    for row in rows:
        for name in PLAIN_SUMS:
            total[name] += row[name]
        for name in BIN_SUMS:
            total[name] = [one + other for one, other in zip(total[name], row[name], strict=True)]
    return total


def figures_of(sums: Sums) -> Figures:
    """The figures of these sums; accuracy is about up or not, its base rate what always saying "up" gets."""
    n, base = sums["n"], share(sums["ups"], sums["n"])
    brier = share(sums["brier"], n)
    return {
        "n": n,
        "hits": sums["hits"],
        "accuracy": share(sums["hits"], n),
        "base_rate": base,
        "precision": share(sums["said_up_right"], sums["said_up"]),
        "recall": share(sums["said_up_right"], sums["ups"]),
        "f1": share(2 * sums["said_up_right"], sums["said_up"] + sums["ups"]),
        "brier": brier,
        "brier_skill": _skill(sums["brier"] * n, sums["ups"] * (n - sums["ups"])),
        "log_loss": share(sums["log_loss"], n),
        "coverage": {str(level): share(sums[f"inside_{level}"], n) for level in LEVELS},
        "price_mae_skill": _skill(sums["absolute_error"], sums["absolute_naive"]),
        "price_mse_skill": _skill(sums["squared_error"], sums["squared_naive"]),
        "buy": {"n": sums["buys"], "accuracy": share(sums["buy_hits"], sums["buys"])},
        "sell": {"n": sums["sells"], "accuracy": share(sums["sell_hits"], sums["sells"])},
        "volatility": {
            "n": sums["volatility_calls"],
            "accuracy": share(sums["volatility_hits"], sums["volatility_calls"]),
            "base_rate": share(sums["volatility_rises"], sums["volatility_calls"]),
        },
    }


def calls_of(sums: Sums, buy_chances: Decimal | int, risk_chances: Decimal | int) -> dict[str, CallFigures]:
    """BUY, and SELL by what it means; half of all stocks lag behind the median, whatever the session.

    chances: how many of the calls would have come true, had each been made on any stock of its session.
    """
    lags, lag_hits = sums["sells"] - sums["risks"], sums["sell_hits"] - sums["risk_hits"]
    return {
        "buy": _calls(sums["buys"], sums["buy_hits"], buy_chances),
        "sell_lag": _calls(lags, lag_hits, lags / 2),
        "sell_risk": _calls(sums["risks"], sums["risk_hits"], risk_chances),
    }


def _calls(n: int, hits: int, chances: Decimal | float) -> CallFigures:
    return {
        "n": n,
        "accuracy": share(hits, n),
        "base_rate_same_day": share(chances, n),
        "lift_same_day": share(hits - float(chances), n),
    }


def calibration_of(sums: Sums) -> list[CalibrationBin]:
    """The bins that hold something, lowest first."""
    bounds = (0.0, *BIN_EDGES, 1.0)
    rows = zip(bounds, bounds[1:], *(sums[name] for name in BIN_SUMS), strict=False)
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


def share(part: float | Decimal, whole: int | Decimal) -> float | None:
    """part / whole with six decimals; None without a whole."""
    return round(float(part) / float(whole), DECIMALS) if whole else None


def _skill(loss: int | Decimal, naive: int | Decimal) -> float | None:
    """By how much the loss is below that of the naive forecast, as a share of it."""
    ratio = share(loss, naive)
    return None if ratio is None else round(1 - ratio, DECIMALS)
