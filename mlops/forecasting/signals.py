"""BUY, HOLD or SELL: a signal is given only where its rule has earned it on past out-of-sample forecasts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlops.forecasting.metrics.paired import studentised_bounds
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import FloatArray

BUY, HOLD, SELL = "BUY", "HOLD", "SELL"
RISE, LAG, RISK = "rise", "lag", "risk"

RISE_SHARE = 0.07
LAG_SHARE = 0.07
LAG_NEEDS_INSTRUMENTS = 20
FEWEST_SIGNALS = 100
FEWEST_SESSIONS = 250
SMALLEST_EDGE = 1e-6
BOOTSTRAP_SEED = 0
# Three horizons try to earn a signal on mostly the same days, so each has to be surer than one alone would.
EARNED_CONFIDENCE = 0.975
NO_EDGE = "no demonstrated edge"
TOO_SHORT = "one session ahead is too noisy for a signal"


@dataclass(frozen=True, slots=True)
class EarnedRule:
    """A threshold and what crossing it was worth in the past.

    threshold: on P minus the base rate; lift: how much more often the signalled thing came true than among the same
    days' instruments, with bounds that each hold with 97.5 % confidence; coverage: share of forecasts
    that cross the threshold.
    """

    threshold: float
    lift: float
    lower: float
    upper: float
    coverage: float
    count: int

    @property
    def earned(self) -> bool:
        """Whether the lift is above zero beyond doubt."""
        return self.count >= FEWEST_SIGNALS and self.lower > 0


@dataclass(frozen=True, slots=True)
class SignalRules:
    """The rules by horizon in sessions; a horizon without a rule has no signal of that meaning."""

    rise: Mapping[int, EarnedRule]
    lag: Mapping[int, EarnedRule]


@dataclass(frozen=True, slots=True)
class Signal:
    """What is advised, what it means, and why."""

    name: str
    meaning: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a signal is decided on, for one instrument and horizon."""

    rise_edge: float
    lag_edge: float | None
    risk_is_high: bool


@dataclass(frozen=True, slots=True)
class PastCalls:
    """Past out-of-sample forecasts of one question at one horizon, one a row.

    edges: P minus the base rate then known, signed so that large means signalled; came_true: 1 or 0; rows: the
    session of each.
    """

    edges: FloatArray
    came_true: FloatArray
    rows: IntArray


def learn_rule(past: PastCalls, *, share: float) -> EarnedRule | None:
    """The threshold that the top `share` of past edges crossed, with the lift it had over the same days.

    None when there are fewer than 250 sessions of forecasts, or when no forecast stands above the base rate.
    """
    sessions, places = np.unique(past.rows, return_inverse=True)
    if len(sessions) < FEWEST_SESSIONS:
        return None
    threshold = float(np.quantile(past.edges, 1 - share))
    chosen = past.edges >= threshold
    if threshold < SMALLEST_EDGE or chosen.all():
        return None
    that_day = np.bincount(places, weights=past.came_true) / np.bincount(places)
    gained = np.where(chosen, past.came_true - that_day[places], 0.0)
    gains: FloatArray = np.bincount(places, weights=gained).astype(np.float64)
    signals_a_session = chosen.sum() / len(sessions)
    lower, upper = studentised_bounds(gains, seed=BOOTSTRAP_SEED, confidence=EARNED_CONFIDENCE)
    return EarnedRule(
        threshold=threshold,
        lift=float(gains.mean() / signals_a_session),
        lower=float(lower / signals_a_session),
        upper=float(upper / signals_a_session),
        coverage=float(chosen.mean()),
        count=int(chosen.sum()),
    )


def decide(standing: Standing, rules: SignalRules, horizon: int) -> Signal:
    """The signal at one horizon: a rise before a lag before a risk, and HOLD when none is called for."""
    if horizon == 1:
        return Signal(HOLD, "", TOO_SHORT)
    rise, lag = rules.rise.get(horizon), rules.lag.get(horizon)
    if rise and rise.earned and standing.rise_edge >= rise.threshold:
        return Signal(BUY, RISE, f"P(up) is {_points(standing.rise_edge)} above the base rate; {_worth(rise, 'rose')}")
    if lag and lag.earned and standing.lag_edge is not None and standing.lag_edge >= lag.threshold:
        return Signal(SELL, LAG, f"expected to lag the other stocks; {_worth(lag, 'lagged')}")
    if standing.risk_is_high:
        return Signal(
            SELL, RISK, "a move of more than 5 % is among the likeliest twentieth; this says nothing of direction"
        )
    if rise and rise.earned:
        return Signal(HOLD, "", f"P(up) is less than {_points(rise.threshold)} above the base rate")
    return Signal(HOLD, "", NO_EDGE)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _worth(rule: EarnedRule, verb: str) -> str:
    return (
        f"such forecasts {verb} {_points(rule.lift)} more often than others of the same days "
        f"[{100 * rule.lower:.1f}, {100 * rule.upper:.1f}]"
    )
