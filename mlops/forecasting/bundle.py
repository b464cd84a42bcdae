"""Everything a trained version consists of, as frozen parts."""

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
    """One question asked at every horizon, and the members who answer it.

    sights: by member the places of the features that it looks at, shape (k,), among those of its head; base_rates:
    shape (h,), how often it is true as far as the training knows; shifts: shape (h,), what stands between the log odds
    that the members learned to start from and those of the base rate; weights: shape (h,), the members' share beside
    the base rate. All are NaN at a horizon where the question is not asked.
    """

    members: Mapping[str, Member]
    feature_subsets: Mapping[str, IntArray]
    base_rates: FloatArray
    shifts: FloatArray
    weights: FloatArray

    def outputs(self, samples: Samples) -> "HeadOutput":
        """What the head says of each sample."""
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
        """Probability that the answer is yes, shape (n, h)."""
        return self.outputs(samples).probability


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """What a head says of each sample, all of shape (n, h).

    probability: that the answer is yes; edge: how far those members that signals follow stand above the base rate.
    """

    probability: FloatArray
    edge: FloatArray


@dataclass(frozen=True, slots=True)
class FeatureRange:
    """The smallest and largest value of every input in training, shape (k,) each, direction before volatility."""

    names: tuple[str, ...]
    lowest: FloatArray
    highest: FloatArray


@dataclass(frozen=True, slots=True)
class RiskScale:
    """Quantiles of the probability of a big move in training, shape (h, 3): where normal, elevated and high begin."""

    limits: FloatArray

    def levels(self, big_move: FloatArray) -> list[list[str]]:
        """The risk in words for probabilities of shape (n, h)."""
        steps = (big_move[:, :, None] >= self.limits).sum(axis=2)
        return [[RISK_LEVELS[step] for step in row] for row in steps.tolist()]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A fitted ensemble for all horizons; it knows nothing after `trained_through`."""

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
        """How far the intervals go below and above, in log return, shape (n, h, 2, 3), for `sigma` of shape (n, h)."""
        return self.intervals.widths(sigma, self.quantile_width.quantile_width(volatility.latest()), symbols)

    @property
    def uses_news(self) -> bool:
        """Whether the direction heads learned from the news family, which then is among the direction features."""
        return uses_news(self.feature_set)
