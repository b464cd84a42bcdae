"""News features, for models with enough news to learn from.

No article differs from a neutral article: the score is missing and the count is zero.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.features.cube import FeatureCube, build_features
from mlops.forecasting.features.registry import FEATURE_SET, NEWS_NAMES
from mlops.forecasting.features.rolling import rolling_sum
from mlops.forecasting.types import FloatArray, Panel

NEWS_FEATURE_SET = f"{FEATURE_SET}+news"
FEATURE_SETS = (FEATURE_SET, NEWS_FEATURE_SET)

FEWEST_SESSIONS_WITH_NEWS = 250
FEWEST_SCORES = 1000
TRAILING_SESSIONS = 63
FEWEST_TRAILING_SCORES = 5
SILENT_SESSIONS = 5


def features_of(panel: Panel, feature_set: str, *, newest: int | None = None) -> FeatureCube:
    """Return the features of a set, of all sessions or the newest; news features follow the direction features.

    Raises ValueError for another set.
    """
    if feature_set not in FEATURE_SETS:
        raise ValueError(f"{feature_set} is not a feature set")
    cube = build_features(panel, newest=newest)
    if not uses_news(feature_set):
        return cube
    family = news_features(panel)
    return replace(
        cube,
        direction=np.concatenate([cube.direction, family[len(family) - len(cube.direction) :]], axis=2),
        direction_names=(*cube.direction_names, *NEWS_NAMES),
    )


def uses_news(feature_set: str) -> bool:
    """Whether a feature set contains the news features."""
    return feature_set == NEWS_FEATURE_SET


def name_of(cube: FeatureCube) -> str:
    """Return the feature set of a cube."""
    return NEWS_FEATURE_SET if set(NEWS_NAMES) <= set(cube.direction_names) else FEATURE_SET


def feature_set_for(panel: Panel) -> str:
    """Return the feature set for a panel: with news if 250 sessions and 1,000 scores exist."""
    if panel.news_score is None:
        return FEATURE_SET
    scored = np.isfinite(panel.news_score)
    enough = scored.any(axis=1).sum() >= FEWEST_SESSIONS_WITH_NEWS and scored.sum() >= FEWEST_SCORES
    return NEWS_FEATURE_SET if enough else FEATURE_SET


def news_features(panel: Panel) -> FloatArray:
    """Return the news features, shape (n, m, 4), in the order of NEWS_NAMES; the value at t reads sessions <= t only.

    The score of the session's articles, NaN without any; that minus the mean score of the 63 sessions before, NaN also
    with fewer than five scores there; log(1 + articles); 1 or 0 for some or none. Without
    articles about any instrument for five sessions nothing was collected, and all features are NaN.
    """
    shape = panel.close.shape
    if panel.news_score is None or panel.news_count is None:
        return np.full((*shape, len(NEWS_NAMES)), np.nan)
    score = panel.news_score
    scored = np.isfinite(score)
    before = _sum_before(scored.astype(np.float64), TRAILING_SESSIONS)
    total = _sum_before(np.where(scored, score, 0.0), TRAILING_SESSIONS)
    usual = np.divide(total, before, out=np.full(shape, np.nan), where=before >= FEWEST_TRAILING_SCORES)
    family = np.stack([score, score - usual, np.log1p(panel.news_count), scored.astype(np.float64)], axis=2)
    family[_silent(scored)] = np.nan
    return family


def _silent(scored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether no instrument had an article in the last five sessions, shape (n,)."""
    scores = np.concatenate([np.zeros(SILENT_SESSIONS - 1), scored.sum(axis=1)])
    silent: NDArray[np.bool_] = np.lib.stride_tricks.sliding_window_view(scores, SILENT_SESSIONS).max(axis=1) == 0
    return silent


def _sum_before(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of the `window` rows before each row, fewer at the start."""
    padded = np.concatenate([np.zeros((window, values.shape[1])), values])
    return rolling_sum(padded, window)[window - 1 : -1]
