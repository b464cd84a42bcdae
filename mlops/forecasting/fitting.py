"""Training: everything a bundle holds is learned here, from sessions up to a given one and nothing later."""

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
    Head,
    RiskScale,
)
from mlops.forecasting.ensemble import WeightRange, earned_weights, shrunk_probability, standard_scores, weight_range
from mlops.forecasting.errors import PricesStandStill, TooLittleHistory
from mlops.forecasting.features import FEATURE_SET, FeatureCube
from mlops.forecasting.features.news import feature_set_for, features_of, name_of
from mlops.forecasting.gate import GateVerdict, compare_holdouts
from mlops.forecasting.heads import fit_head, sights_of
from mlops.forecasting.holdout import HoldoutReport, evaluate_holdout
from mlops.forecasting.intervals.conformal import CALIBRATION_SESSIONS, Bands, PastScores
from mlops.forecasting.intervals.har import VolatilityModel
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.learning import LearningSet, known_before, learning_set
from mlops.forecasting.models.catalog import XGBOOST, fit_reach, no_reach, search_trees
from mlops.forecasting.models.reach import Reach
from mlops.forecasting.models.settings import MemberSettings, TreeSettings
from mlops.forecasting.past import PastForecasts, asked, fold_bounds, past_forecasts
from mlops.forecasting.signals import (
    LAG_NEEDS_INSTRUMENTS,
    LAG_SHARE,
    RISE_SHARE,
    PastCalls,
    SignalRules,
    learn_rules,
)
from mlops.forecasting.types import HORIZONS, FloatArray, Panel, Progress

__all__ = [
    "Bundle",
    "FitSettings",
    "GateVerdict",
    "HoldoutReport",
    "compare_holdouts",
    "evaluate_holdout",
    "fit_bundle",
]

SEARCHED_HORIZON = 5
RISK_QUANTILES = (0.25, 0.75, 0.95)
VOLATILITY_INVERSE_PENALTY = 0.1
FEWEST_SESSIONS = 504
TREES_NEED_SESSIONS = 1260
DONE = 1.0


@dataclass(frozen=True, slots=True)
class FitSettings:
    """What a fit depends on besides the panel.

    weights: the members' least and most share beside the base rate; None lets the length of the history decide.
    news: whether the news family is learned from where there is enough of it.
    """

    seed: int
    threads: int = 1
    members: MemberSettings = field(default_factory=lambda: MemberSettings(seed=0))
    search: bool = True
    weights: WeightRange | None = None
    news: bool = True

    def for_members(self) -> MemberSettings:
        """The members' settings with this seed and thread count."""
        return replace(self.members, seed=self.seed, threads=self.threads)


def fit_bundle(panel: Panel, *, through: date, settings: FitSettings, progress: Progress) -> Bundle:
    """Fit everything on the sessions of `panel` up to `through`; the same panel and settings give the same bytes.

    Every number is computed with the thread count of the settings, whatever the machine is doing besides. Raises
    TooLittleHistory below 504 sessions, or when no session has all features, PricesStandStill when no price moved.
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
        if not np.isfinite(learned.lessons(UP)).any(axis=0).all():
            raise PricesStandStill(len(known.sessions))
        return _fit(known, cube, learned, settings, progress)


def _fit(known: Panel, cube: FeatureCube, learned: LearningSet, settings: FitSettings, progress: Progress) -> Bundle:
    progress(0.02, "search for tree settings")
    members = settings.for_members()
    if settings.search:
        members = replace(members, trees=_searched(learned, members))
    past = past_forecasts(learned, members, _part(progress, 0.10, 0.65))
    allowed = settings.weights or weight_range(len(known.sessions))
    weights = {
        head: earned_weights(past.logits[head], past.base_rates[head], past.labels[head], allowed)
        for head in past.logits
    }
    heads = _fit_heads(learned, members, weights, _part(progress, 0.65, 0.95))
    progress(0.95, "bands and signals")
    volatility = VolatilityModel.fit(learned.volatility.latest(), learned.log_variances)
    bands, reach = _bands(learned, volatility, heads[UP].base_rates, members)
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
        bands=bands,
        reach=reach,
        rules=rules_of(past, weights, instruments=len(known.symbols)),
        risk=_risk_scale(learned, heads[BIG_MOVE]),
        inputs=_ranges(learned, cube),
    )
    progress(DONE, "fitted")
    return bundle


def rules_of(past: PastForecasts, weights: Mapping[str, FloatArray], *, instruments: int) -> SignalRules:
    """The signal rules that the past forecasts support, by horizon; nothing for one session ahead."""
    rise = learn_rules(_calls(past, UP, weights), share=RISE_SHARE)
    if instruments < LAG_NEEDS_INSTRUMENTS:
        return SignalRules(rise, {})
    return SignalRules(rise, learn_rules(_calls(past, BEATS_MEDIAN, weights, falling=True), share=LAG_SHARE))


def _calls(
    past: PastForecasts, head: str, weights: Mapping[str, FloatArray], *, falling: bool = False
) -> dict[int, PastCalls]:
    calls = {}
    for position, horizon in enumerate(HORIZONS[1:], start=1):
        labels = past.labels[head][:, position]
        known = np.isfinite(labels)
        base = past.base_rates[head][known, position]
        edges = shrunk_probability(past.edge_logits[head][known, position], base, weights[head][position]) - base
        calls[horizon] = PastCalls(
            edges=-edges if falling else edges,
            came_true=1 - labels[known] if falling else labels[known],
            rows=past.rows[known],
        )
    return calls


def _searched(learned: LearningSet, members: MemberSettings) -> TreeSettings:
    """Search before the first replayed session, so that the replay stays out of sample."""
    first = fold_bounds(learned.rows)[0][0]
    before = learned.take(learned.rows < first)
    labels = known_before(before.lessons(UP), before.rows, first)[:, HORIZONS.index(SEARCHED_HORIZON)]
    sight = sights_of(UP, learned.direction_names)[XGBOOST]
    return search_trees(before.direction.seeing(sight), labels, members, gap=SEARCHED_HORIZON)


def _fit_heads(
    learned: LearningSet, members: MemberSettings, weights: Mapping[str, FloatArray], progress: Progress
) -> dict[str, Head]:
    questions = (*asked(learned), *VOLATILITY_HEADS)
    certain = np.ones(len(HORIZONS))
    heads = {}
    for number, head in enumerate(questions):
        progress(number / len(questions), f"learning: {head.replace('_', ' ')}")
        own = replace(members, inverse_penalty=VOLATILITY_INVERSE_PENALTY) if head in VOLATILITY_HEADS else members
        heads[head] = fit_head(head, learned, own, weights=weights.get(head, certain))
    return heads


def _bands(
    learned: LearningSet, volatility: VolatilityModel, base_rates: FloatArray, members: MemberSettings
) -> tuple[Bands, Reach]:
    """Score the last ten years with the volatility model that will be served, around the base rate's return.

    The quantile trees learn from all years, and each sample is scored by those that have not seen its dates. They are
    not tried with five years or fewer, where they have never won.
    """
    features = learned.volatility.latest()
    scores = learned.log_returns / volatility.sigma(features) - standard_scores(base_rates)
    since = learned.sessions - CALIBRATION_SESSIONS
    reach, unseen = no_reach(), np.ones((*scores.shape, len(LEVELS)))
    if len(np.unique(learned.rows)) > TREES_NEED_SESSIONS:
        reach, unseen = fit_reach(features, np.abs(scores), learned.rows, members, since=since)
    recent = learned.rows >= since
    past = PastScores(
        scores=scores[recent], reach=unseen[recent], rows=learned.rows[recent], columns=learned.columns[recent]
    )
    bands = Bands.calibrate(past, learned.symbols)
    return bands, reach.only(bands.shares > 0)


def _risk_scale(learned: LearningSet, big_move: Head) -> RiskScale:
    probabilities = big_move.probabilities(learned.volatility)
    return RiskScale(np.quantile(probabilities, RISK_QUANTILES, axis=0).T)


def _ranges(learned: LearningSet, cube: FeatureCube) -> FeatureRange:
    inputs = learned.inputs()
    return FeatureRange(
        names=(*cube.direction_names, *cube.volatility_names),
        lowest=np.nanmin(inputs, axis=0),
        highest=np.nanmax(inputs, axis=0),
    )


def _part(progress: Progress, start: float, end: float) -> Progress:
    """The progress of one step as a part of the whole."""

    def tell(share: float, stage: str) -> None:
        progress(start + (end - start) * share, stage)

    return tell
