"""Parts of a trained model version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mlops.forecasting.ensemble import mean_logits, shrunk_probability
from mlops.forecasting.features.news import uses_news
from mlops.forecasting.intervals.conformal import ConformalIntervals
from mlops.forecasting.intervals.har import VolatilityModel
from mlops.forecasting.models.base import Member
from mlops.forecasting.models.catalog import signal_members
from mlops.forecasting.models.quantile_width import QuantileWidth
from mlops.forecasting.models.samples import IntArray, Samples
from mlops.forecasting.models.settings import TreeSettings
from mlops.forecasting.signals import SignalRules
from mlops.forecasting.types import FloatArray

UP, BEATS_MEDIAN = "up", "beats_median"
VOLATILITY_RISES, BIG_MOVE = "volatility_rises", "big_move"
LOW, NORMAL, ELEVATED, HIGH = RISK_LEVELS = ("low", "normal", "elevated", "high")
DIRECTION_HEADS = (UP, BEATS_MEDIAN)
VOLATILITY_HEADS = (VOLATILITY_RISES, BIG_MOVE)


@dataclass(frozen=True, slots=True)
class TargetHead:
    """A binary target at every horizon, with its ensemble members.

    feature_subsets: by member the indices of its features, shape (k,), among those of the head; base_rates: shape
    (h,), share of ones in training; shifts: shape (h,), offset from the training rate's log odds to the base rate's;
    weights: shape (h,), weight of the ensemble relative to the base rate. All are NaN at undefined horizons.
    """

    members: Mapping[str, Member]
    feature_subsets: Mapping[str, IntArray]
    base_rates: FloatArray
    shifts: FloatArray
    weights: FloatArray

    def outputs(self, samples: Samples) -> "HeadOutput":
        """Return probability and edge of each sample."""
        logits = {
            name: member.logits(samples.seeing(self.feature_subsets[name])) + self.shifts
            for name, member in self.members.items()
        }
        edge_logits = mean_logits(logits[name] for name in signal_members(logits))
        return HeadOutput(
            probability=shrunk_probability(mean_logits(logits.values()), self.base_rates, self.weights),
            edge=shrunk_probability(edge_logits, self.base_rates, self.weights) - self.base_rates,
        )

    def probabilities(self, samples: Samples) -> FloatArray:
        """Return the probability of 1, shape (n, h)."""
        return self.outputs(samples).probability


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """Output of a head, all of shape (n, h).

    probability: of 1; edge: probability by the signal members minus the base rate.
    """

    probability: FloatArray
    edge: FloatArray


@dataclass(frozen=True, slots=True)
class FeatureRange:
    """Range of every input in training, shape (k,) each, direction before volatility."""

    names: tuple[str, ...]
    lowest: FloatArray
    highest: FloatArray


@dataclass(frozen=True, slots=True)
class RiskScale:
    """Quantiles of the probability of a big move in training, shape (h, 3): where normal, elevated and high begin."""

    limits: FloatArray

    def levels(self, big_move: FloatArray) -> list[list[str]]:
        """Return the risk levels of probabilities of shape (n, h)."""
        steps = (big_move[:, :, None] >= self.limits).sum(axis=2)
        return [[RISK_LEVELS[step] for step in row] for row in steps.tolist()]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A fitted ensemble for all horizons, trained on sessions up to `trained_through`."""

    feature_set: str
    direction_names: tuple[str, ...]
    volatility_names: tuple[str, ...]
    symbols: tuple[str, ...]
    trained_through: date
    seed: int
    trees: TreeSettings
    heads: Mapping[str, TargetHead]
    volatility: VolatilityModel
    intervals: ConformalIntervals
    quantile_width: QuantileWidth
    rules: SignalRules
    risk: RiskScale
    inputs: FeatureRange

    def widths(self, sigma: FloatArray, volatility: Samples, symbols: tuple[str, ...]) -> FloatArray:
        """Return the interval widths below and above in log return, shape (n, h, 2, 3), for `sigma` of shape (n, h)."""
        return self.intervals.widths(sigma, self.quantile_width.quantile_width(volatility.latest()), symbols)

    @property
    def uses_news(self) -> bool:
        """Whether the direction features include the news family."""
        return uses_news(self.feature_set)
