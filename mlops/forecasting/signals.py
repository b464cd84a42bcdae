"""BUY, HOLD or SELL: a signal needs a rule with a significant lift on out-of-fold predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from mlops.forecasting.metrics.paired_bootstrap import studentised_bounds
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import FloatArray

BUY, HOLD, SELL = "BUY", "HOLD", "SELL"
RISE, LAG, RISK = "rise", "lag", "risk"

RISE_SHARE = 0.08
LAG_SHARE = 0.07
LAG_NEEDS_INSTRUMENTS = 20
FEWEST_SIGNALS = 100
FEWEST_SESSIONS = 250
SMALLEST_EDGE = 1e-6
BOOTSTRAP_SEED = 0
# The horizons share most days, so they are tested together at 97.5% and each alone at 80%.
EARNED_CONFIDENCE = 0.975
LIKELY_CONFIDENCE = 0.8
NO_EDGE = "no proven edge"
TOO_SHORT = "one day ahead is too noisy for a signal"


@dataclass(frozen=True, slots=True)
class SignalRule:
    """A threshold on the edge and its past lift.

    threshold: on P minus the base rate; lift: accuracy minus that of all instruments of the same days, with one-sided
    97.5% bounds; likely: its lower 80% bound; together: lower 97.5% bound of the mean lift over all horizons; coverage:
    share of forecasts above the threshold.
    """

    threshold: float
    lift: float
    lower: float
    upper: float
    likely: float
    together: float
    coverage: float
    count: int

    @property
    def earned(self) -> bool:
        """Whether the lift is significant over all horizons and likely at this one."""
        return self.count >= FEWEST_SIGNALS and self.together > 0 and self.likely > 0


@dataclass(frozen=True, slots=True)
class SignalRules:
    """Rules by horizon in sessions; a horizon without a rule has no such signal."""

    rise: Mapping[int, SignalRule]
    lag: Mapping[int, SignalRule]


@dataclass(frozen=True, slots=True)
class Signal:
    """Signal with its meaning and reason."""

    name: str
    meaning: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignalInputs:
    """Inputs of a signal for one instrument and horizon.

    Edges are probabilities by the signal members minus the base rate, signed so that larger means stronger.
    """

    rise_edge: float
    lag_edge: float | None
    risk_is_high: bool


@dataclass(frozen=True, slots=True)
class PastSignals:
    """Out-of-fold predictions of one head at one horizon, one per row.

    edges: P minus the base rate known then, signed so that larger means stronger; outcomes: 1 or 0; rows: session.
    """

    edges: FloatArray
    outcomes: FloatArray
    rows: IntArray


@dataclass(frozen=True, slots=True)
class _Crossing:
    """Past forecasts of one horizon above a threshold.

    gains: accuracy minus that of the same session, summed by session, shape (sessions,), scaled so that the mean is the
    lift.
    """

    threshold: float
    sessions: IntArray
    gains: FloatArray
    coverage: float
    count: int


def fit_signal_rules(past: Mapping[int, PastSignals], *, share: float) -> dict[int, SignalRule]:
    """Fit, by horizon, the threshold of the top `share` of past edges and its lift over the same days.

    No rule with fewer than 250 sessions of forecasts or without a forecast above the base rate.
    """
    crossings = {horizon: _crossing(calls, share) for horizon, calls in past.items()}
    found = {horizon: crossing for horizon, crossing in crossings.items() if crossing is not None}
    if not found:
        return {}
    shared = reduce(np.intersect1d, [each.sessions for each in found.values()])
    mean = np.mean([each.gains[np.isin(each.sessions, shared)] for each in found.values()], axis=0)
    together, _ = studentised_bounds(mean, seed=BOOTSTRAP_SEED, confidence=EARNED_CONFIDENCE)
    return {horizon: _rule(each, together) for horizon, each in found.items()}


def _crossing(past: PastSignals, share: float) -> _Crossing | None:
    sessions, session_index = np.unique(past.rows, return_inverse=True)
    if len(sessions) < FEWEST_SESSIONS:
        return None
    threshold = float(np.quantile(past.edges, 1 - share))
    chosen = past.edges >= threshold
    if threshold < SMALLEST_EDGE or chosen.all():
        return None
    that_day = np.bincount(session_index, weights=past.outcomes) / np.bincount(session_index)
    gained = np.where(chosen, past.outcomes - that_day[session_index], 0.0)
    return _Crossing(
        threshold=threshold,
        sessions=sessions,
        gains=np.bincount(session_index, weights=gained) * len(sessions) / chosen.sum(),
        coverage=float(chosen.mean()),
        count=int(chosen.sum()),
    )


def _rule(crossing: _Crossing, together: float) -> SignalRule:
    lower, upper = studentised_bounds(crossing.gains, seed=BOOTSTRAP_SEED, confidence=EARNED_CONFIDENCE)
    likely, _ = studentised_bounds(crossing.gains, seed=BOOTSTRAP_SEED, confidence=LIKELY_CONFIDENCE)
    return SignalRule(
        threshold=crossing.threshold,
        lift=float(crossing.gains.mean()),
        lower=lower,
        upper=upper,
        likely=likely,
        together=together,
        coverage=crossing.coverage,
        count=crossing.count,
    )


def decide(inputs: SignalInputs, rules: SignalRules, horizon: int) -> Signal:
    """Return the signal at one horizon: rise, then lag, then risk, else HOLD."""
    if horizon == 1:
        return Signal(HOLD, "", TOO_SHORT)
    rise, lag = rules.rise.get(horizon), rules.lag.get(horizon)
    if rise and rise.earned and inputs.rise_edge >= rise.threshold:
        return Signal(
            BUY, RISE, f"a rise is {_points(inputs.rise_edge)} more likely than its base rate; {_worth(rise, 'rose')}"
        )
    if lag and lag.earned and inputs.lag_edge is not None and inputs.lag_edge >= lag.threshold:
        return Signal(SELL, LAG, f"expected to underperform the other stocks; {_worth(lag, 'underperformed')}")
    if inputs.risk_is_high:
        return Signal(SELL, RISK, "a move of more than 5% is among the 5% most likely; this gives no direction")
    if rise and rise.earned:
        return Signal(HOLD, "", f"a rise is less than {_points(rise.threshold)} more likely than its base rate")
    return Signal(HOLD, "", NO_EDGE)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _worth(rule: SignalRule, verb: str) -> str:
    return (
        f"such forecasts {verb} {_points(rule.lift)} more often than other stocks on the same days "
        f"[{100 * rule.lower:.1f}, {100 * rule.upper:.1f}]"
    )
