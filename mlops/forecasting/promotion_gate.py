"""Promotion gate: compare two hold-out reports on the same forecasts and give a reason."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.holdout import HoldoutReport, RowLosses
from mlops.forecasting.metrics.paired_bootstrap import FEWEST_SESSIONS, session_means, studentised_bounds
from mlops.forecasting.types import HORIZONS

Decision = Literal["promote", "keep"]
Rule = Literal["superiority", "non_inferiority"]

LOG_LOSS_MARGINS = {1: 0.005, 5: 0.005, 10: 0.01, 20: 0.02}
WINKLER_MARGIN = 0.03
COVERAGE_BAND = (0.90, 0.99)
BOOTSTRAP_SEED = 0


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Decision, a sentence with its numbers, and all statistics."""

    decision: Decision
    reason: str
    statistics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean loss of the challenger minus that of the champion, relative to it, with one-sided 95% bounds."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class _Pair:
    """Losses of two hold-outs on the same forecasts, in the same order."""

    challenger: RowLosses
    champion: RowLosses

    def difference(self, loss: str) -> Difference:
        champion = session_means(getattr(self.champion, loss), self.champion.sessions)
        challenger = session_means(getattr(self.challenger, loss), self.challenger.sessions)
        size = float(champion.mean())
        lower, upper = studentised_bounds(challenger - champion, seed=BOOTSTRAP_SEED)
        return Difference(float((challenger - champion).mean()) / size, lower / size, upper / size)


def compare_holdouts(challenger: HoldoutReport, champion: HoldoutReport, *, rule: Rule) -> GateDecision:
    """Decide whether the challenger replaces the champion, on the forecasts that both made.

    non_inferiority: at every horizon the upper bound of its loss is within the margin, log-loss and interval score
    alike. superiority: besides, its log-loss over all horizons is below the champion's, upper bound and all. In both
    cases its 95 % intervals must hold between 90 and 99 %, or as well as the champion's. Fewer than 250 shared sessions
    decide nothing, and the champion stays. A session is shared when both forecast from it and one outcome is known.
    """
    pairs = {horizon: _paired(challenger.losses[horizon], champion.losses[horizon]) for horizon in HORIZONS}
    sessions = len(np.unique(pairs[HORIZONS[0]].champion.sessions))
    if sessions < FEWEST_SESSIONS:
        reason = f"Only {sessions} shared hold-out sessions; a decision needs {FEWEST_SESSIONS}."
        return GateDecision("keep", reason, {"rule": rule, "sessions": sessions})
    statistics: dict[str, Any] = {
        "rule": rule,
        "sessions": sessions,
        "horizons": {str(horizon): _statistics(pair, horizon) for horizon, pair in pairs.items()},
    }
    objection = _first_objection(statistics["horizons"])
    if objection:
        return GateDecision("keep", f"{objection}, over {sessions} shared sessions.", statistics)
    if rule == "non_inferiority":
        worst = max(figures["log_loss"]["upper"] for figures in statistics["horizons"].values())
        reason = f"Not worse on {sessions} shared sessions: log-loss at most {_percent(worst)} higher at any horizon."
        return GateDecision("promote", reason, statistics)
    return _superior(pairs, statistics)


def _superior(pairs: dict[int, _Pair], statistics: dict[str, Any]) -> GateDecision:
    together = _Pair(
        *(RowLosses.joined([getattr(pair, side) for pair in pairs.values()]) for side in ("challenger", "champion"))
    )
    overall = together.difference("log_loss")
    statistics = {**statistics, "log_loss": _as_json(overall)}
    sessions = statistics["sessions"]
    figures = f"log-loss {_percent(overall.mean)}, upper bound {_percent(overall.upper)}, over {sessions} sessions"
    if overall.upper < 0:
        return GateDecision("promote", f"Better than the champion: {figures}.", statistics)
    return GateDecision("keep", f"Not shown to be better than the champion: {figures}.", statistics)


def _statistics(pair: _Pair, horizon: int) -> dict[str, Any]:
    return {
        "n": len(pair.champion.log_loss),
        "log_loss": {**_as_json(pair.difference("log_loss")), "margin": LOG_LOSS_MARGINS[horizon]},
        "winkler_95": {**_as_json(pair.difference("winkler_95")), "margin": WINKLER_MARGIN},
        "coverage_95": {
            "challenger": float(pair.challenger.inside_95.mean()),
            "champion": float(pair.champion.inside_95.mean()),
        },
    }


def _first_objection(horizons: dict[str, Any]) -> str:
    """Return why the challenger is refused, or an empty string."""
    for horizon, figures in horizons.items():
        for loss, name in (("log_loss", "log-loss"), ("winkler_95", "interval score")):
            compared = figures[loss]
            if compared["upper"] >= compared["margin"]:
                return (
                    f"Worse at {horizon} sessions: {name} {_percent(compared['mean'])}, upper bound "
                    f"{_percent(compared['upper'])} where {_percent(compared['margin'])} is allowed"
                )
        coverage = figures["coverage_95"]
        if not _coverage_is_good(coverage["challenger"], coverage["champion"]):
            lowest, highest = (f"{100 * bound:.0f}" for bound in COVERAGE_BAND)
            coverage_text = f"have a coverage of {100 * coverage['challenger']:.1f}%, not {lowest} to {highest}%"
            return f"The 95% intervals at {horizon} sessions {coverage_text}"
    return ""


def _coverage_is_good(challenger: float, champion: float) -> bool:
    within = COVERAGE_BAND[0] <= challenger <= COVERAGE_BAND[1]
    return within or abs(challenger - 0.95) <= abs(champion - 0.95)


def _paired(challenger: RowLosses, champion: RowLosses) -> _Pair:
    """Return the rows that both have, in the same order."""
    _, first, second = np.intersect1d(_keys(challenger), _keys(champion), assume_unique=True, return_indices=True)
    return _Pair(challenger.take(first), champion.take(second))


def _keys(losses: RowLosses) -> NDArray[np.str_]:
    """Return a key per row: session and symbol."""
    days = np.datetime_as_string(losses.sessions.astype("datetime64[D]"))
    return np.char.add(np.char.add(days, " "), losses.symbols)


def _as_json(difference: Difference) -> dict[str, float]:
    return {"mean": difference.mean, "lower": difference.lower, "upper": difference.upper}


def _percent(share: float) -> str:
    return f"{100 * share:+.2f}%"
