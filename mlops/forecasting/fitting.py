"""Training of a bundle on the sessions up to a given one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # the package ships no types

from mlops.forecasting.bundle import (
    BEATS_MEDIAN,
    BIG_MOVE,
    UP,
    VOLATILITY_HEADS,
    Bundle,
    FeatureRange,
    RiskScale,
    TargetHead,
)
from mlops.forecasting.ensemble import WeightRange, shrinkage_weights, shrunk_probability, standard_scores, weight_range
from mlops.forecasting.errors import PricesStandStill, TooLittleHistory
from mlops.forecasting.features import FEATURE_SET, FeatureCube
from mlops.forecasting.features.news import feature_set_for, features_of, name_of
from mlops.forecasting.intervals.conformal import CALIBRATION_SESSIONS, CalibrationScores, ConformalIntervals
from mlops.forecasting.intervals.har import VolatilityModel
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.learning import LearningSet, known_before, learning_set
from mlops.forecasting.models.catalog import XGBOOST, fit_quantile_widths, no_quantile_widths, search_trees
from mlops.forecasting.models.quantile_width import QuantileWidth
from mlops.forecasting.models.settings import MemberSettings, TreeSettings
from mlops.forecasting.out_of_fold import OutOfFoldPredictions, direction_heads, fold_bounds, out_of_fold_predictions
from mlops.forecasting.signals import (
    LAG_NEEDS_INSTRUMENTS,
    LAG_SHARE,
    RISE_SHARE,
    PastSignals,
    SignalRules,
    fit_signal_rules,
)
from mlops.forecasting.target_heads import feature_subsets, fit_head
from mlops.forecasting.types import HORIZONS, FloatArray, Panel, Progress, part_of

SEARCHED_HORIZON = 5
RISK_QUANTILES = (0.25, 0.75, 0.95)
VOLATILITY_INVERSE_PENALTY = 0.1
FEWEST_SESSIONS = 504
TREES_NEED_SESSIONS = 1260
DONE = 1.0


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Settings of a fit.

    weights: range of the ensemble's weight relative to the base rate; None derives it from the length of the history.
    news: whether news features are used if there is enough news.
    """

    seed: int
    threads: int = 1
    members: MemberSettings = field(default_factory=lambda: MemberSettings(seed=0))
    search: bool = True
    weights: WeightRange | None = None
    news: bool = True

    def for_members(self) -> MemberSettings:
        """Return the members' settings with this seed and thread count."""
        return replace(self.members, seed=self.seed, threads=self.threads)


def fit_bundle(panel: Panel, *, through: date, settings: FitSettings, progress: Progress) -> Bundle:
    """Fit a bundle on the sessions of `panel` up to `through`; deterministic for the same panel and settings.

    Uses the thread count of the settings. Raises
    TooLittleHistory below 504 sessions, or when no session has all features, PricesStandStill when no price changed.
    """
    known = panel.through(through)
    if len(known.sessions) < FEWEST_SESSIONS:
        raise TooLittleHistory(len(known.sessions), FEWEST_SESSIONS)
    with threadpool_limits(settings.threads):
        progress(0.0, "features")
        cube = features_of(known, feature_set_for(known) if settings.news else FEATURE_SET)
        learned = learning_set(known, cube)
        if len(np.unique(learned.rows)) < FEWEST_SESSIONS // 2:
            raise TooLittleHistory(len(np.unique(learned.rows)), FEWEST_SESSIONS // 2)
        if not np.isfinite(learned.training_labels(UP)).any(axis=0).all():
            raise PricesStandStill(len(known.sessions))
        return _fit(known, cube, learned, settings, progress)


def _fit(known: Panel, cube: FeatureCube, learned: LearningSet, settings: FitSettings, progress: Progress) -> Bundle:
    progress(0.02, "search for tree settings")
    members = settings.for_members()
    if settings.search:
        members = replace(members, trees=_searched(learned, members))
    past = out_of_fold_predictions(learned, members, part_of(progress, 0.10, 0.65))
    allowed = settings.weights or weight_range(len(known.sessions))
    weights = {
        head: shrinkage_weights(past.logits[head], past.base_rates[head], past.labels[head], allowed)
        for head in past.logits
    }
    heads = _fit_heads(learned, members, weights, part_of(progress, 0.65, 0.95))
    progress(0.95, "bands and signals")
    volatility = VolatilityModel.fit(learned.volatility.latest(), learned.log_variances)
    intervals, quantile_width = _intervals(learned, volatility, heads[UP].base_rates, members)
    bundle = Bundle(
        feature_set=name_of(cube),
        direction_names=cube.direction_names,
        volatility_names=cube.volatility_names,
        symbols=known.symbols,
        trained_through=known.sessions[-1].astype(object),
        seed=settings.seed,
        trees=members.trees,
        heads=heads,
        volatility=volatility,
        intervals=intervals,
        quantile_width=quantile_width,
        rules=signal_rules(past, weights, instruments=len(known.symbols)),
        risk=_risk_scale(learned, heads[BIG_MOVE]),
        inputs=_ranges(learned, cube),
    )
    progress(DONE, "fitted")
    return bundle


def signal_rules(past: OutOfFoldPredictions, weights: Mapping[str, FloatArray], *, instruments: int) -> SignalRules:
    """Return the signal rules by horizon that the out-of-fold predictions support; none for one session."""
    rise = fit_signal_rules(_past_signals(past, UP, weights), share=RISE_SHARE)
    if instruments < LAG_NEEDS_INSTRUMENTS:
        return SignalRules(rise, {})
    return SignalRules(
        rise, fit_signal_rules(_past_signals(past, BEATS_MEDIAN, weights, falling=True), share=LAG_SHARE)
    )


def _past_signals(
    past: OutOfFoldPredictions, head: str, weights: Mapping[str, FloatArray], *, falling: bool = False
) -> dict[int, PastSignals]:
    signals = {}
    for position, horizon in enumerate(HORIZONS[1:], start=1):
        labels = past.labels[head][:, position]
        known = np.isfinite(labels)
        base = past.base_rates[head][known, position]
        edges = shrunk_probability(past.edge_logits[head][known, position], base, weights[head][position]) - base
        signals[horizon] = PastSignals(
            edges=-edges if falling else edges,
            outcomes=1 - labels[known] if falling else labels[known],
            rows=past.rows[known],
        )
    return signals


def _searched(learned: LearningSet, members: MemberSettings) -> TreeSettings:
    """Search tree settings before the first out-of-fold session, so that those predictions stay out of sample."""
    first = fold_bounds(learned.rows)[0][0]
    before = learned.take(learned.rows < first)
    labels = known_before(before.training_labels(UP), before.rows, first)[:, HORIZONS.index(SEARCHED_HORIZON)]
    subset = feature_subsets(UP, learned.direction_names)[XGBOOST]
    return search_trees(before.direction.seeing(subset), labels, members, gap=SEARCHED_HORIZON)


def _fit_heads(
    learned: LearningSet, members: MemberSettings, weights: Mapping[str, FloatArray], progress: Progress
) -> dict[str, TargetHead]:
    questions = (*direction_heads(learned), *VOLATILITY_HEADS)
    certain = np.ones(len(HORIZONS))
    heads = {}
    for number, head in enumerate(questions):
        progress(number / len(questions), f"learning: {head.replace('_', ' ')}")
        own = replace(members, inverse_penalty=VOLATILITY_INVERSE_PENALTY) if head in VOLATILITY_HEADS else members
        heads[head] = fit_head(head, learned, own, weights=weights.get(head, certain))
    return heads


def _intervals(
    learned: LearningSet, volatility: VolatilityModel, base_rates: FloatArray, members: MemberSettings
) -> tuple[ConformalIntervals, QuantileWidth]:
    """Calibrate intervals on the last ten years with the final volatility model, around the base rate's return.

    The quantile trees are fitted on all years, and each sample is scored out of fold. They are not used with five years
    or fewer, where they have never been better.
    """
    features = learned.volatility.latest()
    scores = learned.log_returns / volatility.sigma(features) - standard_scores(base_rates)
    since = learned.sessions - CALIBRATION_SESSIONS
    quantile_width, unseen = no_quantile_widths(), np.ones((*scores.shape, len(LEVELS)))
    if len(np.unique(learned.rows)) > TREES_NEED_SESSIONS:
        quantile_width, unseen = fit_quantile_widths(features, np.abs(scores), learned.rows, members, since=since)
    recent = learned.rows >= since
    past = CalibrationScores(
        scores=scores[recent], quantile_width=unseen[recent], rows=learned.rows[recent], columns=learned.columns[recent]
    )
    intervals = ConformalIntervals.calibrate(past, learned.symbols)
    return intervals, quantile_width.only(intervals.blend_weights > 0)


def _risk_scale(learned: LearningSet, big_move: TargetHead) -> RiskScale:
    probabilities = big_move.probabilities(learned.volatility)
    return RiskScale(np.quantile(probabilities, RISK_QUANTILES, axis=0).T)


def _ranges(learned: LearningSet, cube: FeatureCube) -> FeatureRange:
    inputs = learned.inputs()
    return FeatureRange(
        names=(*cube.direction_names, *cube.volatility_names),
        lowest=np.nanmin(inputs, axis=0),
        highest=np.nanmax(inputs, axis=0),
    )
