"""News features: values, missing values, and no effect of later news on earlier sessions."""

import numpy as np
import pytest

from mlops.forecasting.features import DIRECTION_NAMES, FEATURE_SET
from mlops.forecasting.features.news import NEWS_FEATURE_SET, feature_set_for, features_of, name_of, news_features
from mlops.forecasting.features.registry import DESCRIPTIONS, NEWS_NAMES
from mlops.forecasting.tests.newsworthy import newsworthy_panel, scores_of, with_news
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import FloatArray

SCORE, SURPRISE, COUNT, ANY = range(4)


def family(score: FloatArray) -> FloatArray:
    """The features of a panel with these scores, two articles to each."""
    return news_features(with_news(synthetic_panel(sessions=len(score), symbols=score.shape[1]), score))


def test_a_session_with_articles() -> None:
    score = np.full((70, 1), np.nan)
    score[[2, 10, 20, 30, 40, 69], 0] = [0.9, 0.1, 0.2, 0.3, 0.4, 0.5]
    score[66, 0] = -0.6
    predicted = family(score)[69, 0]
    # The 63 sessions before row 69 are the rows 6..68: .1 + .2 + .3 + .4 - .6 over five scores; log(1 + 2) articles.
    np.testing.assert_allclose(predicted, [0.5, 0.5 - 0.4 / 5, np.log(3.0), 1.0], rtol=1e-12)


def test_a_surprise_needs_five_scores_before_it() -> None:
    score = np.full((6, 1), 0.25)
    assert np.isnan(family(score)[4, 0, SURPRISE])
    assert family(score)[5, 0, SURPRISE] == 0.0


def test_no_article_is_not_a_neutral_article() -> None:
    score = np.zeros((80, 2))
    score[79, 1] = np.nan
    neutral, silent = family(score)[79]
    np.testing.assert_allclose(neutral, [0.0, 0.0, np.log(3.0), 1.0], rtol=1e-12)
    np.testing.assert_array_equal(silent, [np.nan, np.nan, 0.0, 0.0])


def test_a_disabled_feed_is_not_an_absence_of_news() -> None:
    score = np.full((20, 2), np.nan)
    score[[3, 15], 0] = 0.5
    collected = np.isfinite(family(score)[:, :, COUNT])
    # Five sessions from each article on: 3..7 and 15..19, for everybody.
    assert np.flatnonzero(collected[:, 1]).tolist() == [3, 4, 5, 6, 7, 15, 16, 17, 18, 19]
    assert (collected[:, 0] == collected[:, 1]).all()
    assert np.isnan(family(score)[8:15]).all()


def test_a_panel_without_news_has_nothing() -> None:
    assert np.isnan(news_features(synthetic_panel(sessions=30, symbols=2))).all()


def test_later_news_change_nothing_before_them() -> None:
    panel = newsworthy_panel()
    altered = scores_of(panel)
    altered[500:] = 1.0
    before, after = news_features(panel), news_features(with_news(panel, altered))
    np.testing.assert_array_equal(before[:500], after[:500])
    assert (before[500:] != after[500:]).any()
    cut = news_features(panel.through(panel.sessions[499].astype(object)))
    np.testing.assert_array_equal(before[:500], cut)


def test_the_family_follows_the_direction_features() -> None:
    panel = newsworthy_panel()
    plain, whole = features_of(panel, FEATURE_SET), features_of(panel, NEWS_FEATURE_SET)
    assert whole.direction_names == (*DIRECTION_NAMES, *NEWS_NAMES)
    np.testing.assert_array_equal(whole.direction[:, :, : len(DIRECTION_NAMES)], plain.direction)
    np.testing.assert_array_equal(whole.direction[:, :, len(DIRECTION_NAMES) :], news_features(panel))
    assert (name_of(plain), name_of(whole)) == (FEATURE_SET, NEWS_FEATURE_SET)
    assert len({DESCRIPTIONS[name] for name in NEWS_NAMES}) == 4
    with pytest.raises(ValueError, match="not a feature set"):
        features_of(panel, "hc0")


@pytest.mark.parametrize(
    ("sessions", "symbols", "chosen"),
    [(250, 4, NEWS_FEATURE_SET), (249, 5, FEATURE_SET), (333, 3, FEATURE_SET), (334, 3, NEWS_FEATURE_SET)],
)
def test_enough_news_are_250_sessions_and_1000_scores(sessions: int, symbols: int, chosen: str) -> None:
    score = np.full((600, symbols), np.nan)
    score[:sessions] = 0.1
    assert feature_set_for(with_news(synthetic_panel(sessions=600, symbols=symbols), score)) == chosen


def test_without_news_there_is_no_family() -> None:
    assert feature_set_for(synthetic_panel(sessions=600, symbols=4)) == FEATURE_SET
