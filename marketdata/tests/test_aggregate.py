"""Aggregation of article scores, and the session of a publication."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.calendars import session_for_publication
from marketdata.sentiment.aggregate import NO_NEWS, ScoredArticle, aggregate

CLOSE = datetime(2023, 3, 31, 20, tzinfo=UTC)


def scored_article(
    score: float, relevance: float = 1.0, hours: float = 0.0, source: str = "", social: bool = False
) -> ScoredArticle:
    return ScoredArticle(score, relevance, CLOSE - timedelta(hours=hours), source or f"{score} {hours}", social)


def test_score_is_none_without_articles() -> None:
    assert aggregate([], at=CLOSE) == NO_NEWS
    assert NO_NEWS.score is None
    assert aggregate([scored_article(0.9, relevance=0.0)], at=CLOSE).score is None


def test_single_article_has_no_dispersion() -> None:
    mood = aggregate([scored_article(-0.4, relevance=0.3, hours=60)], at=CLOSE)
    assert (mood.score, mood.count, mood.dispersion) == (-0.4, 1, None)


def test_relevance_weights_scores() -> None:
    # (1 * 0.8 + 0.25 * -0.2) / 1.25 = 0.6; spread: sqrt((1 * .2^2 + .25 * .8^2) / 1.25) = .4
    mood = aggregate([scored_article(0.8), scored_article(-0.2, relevance=0.25)], at=CLOSE)
    assert mood.score == pytest.approx(0.6)
    assert mood.dispersion == pytest.approx(0.4)
    assert mood.count == 2


def test_weight_halves_every_day() -> None:
    # The older one weighs 1/2 against 1, so 0.6 of 1.5 parts is left.
    assert aggregate([scored_article(0.6), scored_article(0.0, hours=24)], at=CLOSE).score == pytest.approx(0.4)


def test_frequent_source_does_not_dominate() -> None:
    # Four of one source weigh sqrt(4) = 2 against 1: (2 * 0.3 - 0.6) / 3
    loud = [scored_article(0.3, source="loud") for _ in range(4)]
    assert aggregate([*loud, scored_article(-0.6, source="quiet")], at=CLOSE).score == pytest.approx(0.0)


def test_social_posts_have_half_weight() -> None:
    # The post weighs 1/2 against 1, so 0.9 of 1.5 parts is left.
    assert aggregate([scored_article(0.9), scored_article(0.0, social=True)], at=CLOSE).score == pytest.approx(0.6)


def test_later_articles_are_left_out() -> None:
    early, late = scored_article(0.5, hours=1), scored_article(-1.0, hours=-1)
    assert aggregate([early, late], at=CLOSE) == aggregate([early], at=CLOSE)
    assert aggregate([late], at=CLOSE) == NO_NEWS


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 50_000), st.sampled_from("abc"), st.booleans()),
        max_size=20,
    )
)
def test_results_stay_in_range(rows: list[tuple[float, float, float, str, bool]]) -> None:
    mood = aggregate([scored_article(*row) for row in rows], at=CLOSE)
    assert mood.score is None or -1 <= mood.score <= 1
    assert mood.dispersion is None or 0 <= mood.dispersion <= 1 + 1e-9
    assert (mood.score is None) == (mood.count == 0)
    assert mood.score is None or not math.isnan(mood.score)


@pytest.mark.parametrize(("score", "relevance"), [(1.1, 1.0), (0.0, -0.1), (0.0, 1.2)])
def test_invalid_scored_articles_are_rejected(score: float, relevance: float) -> None:
    with pytest.raises(ValueError, match="between"):
        scored_article(score, relevance)


@pytest.mark.parametrize(
    ("published", "session"),
    [
        # Friday 2023-03-31 closes at 16:00 in New York, 20:00 UTC.
        (datetime(2023, 3, 31, 13, tzinfo=UTC), date(2023, 3, 31)),
        (datetime(2023, 3, 31, 19, 59, 59, tzinfo=UTC), date(2023, 3, 31)),
        (datetime(2023, 3, 31, 20, 0, 0, tzinfo=UTC), date(2023, 4, 3)),
        # After the close, and at the weekend: Monday.
        (datetime(2023, 3, 31, 20, 30, tzinfo=UTC), date(2023, 4, 3)),
        (datetime(2023, 4, 1, 12, tzinfo=UTC), date(2023, 4, 3)),
        # The day after Thanksgiving closes early, at 13:00 in New York, 18:00 UTC.
        (datetime(2023, 11, 24, 17, 59, tzinfo=UTC), date(2023, 11, 24)),
        (datetime(2023, 11, 24, 18, 30, tzinfo=UTC), date(2023, 11, 27)),
        # Good Friday is not a session.
        (datetime(2023, 4, 7, 14, tzinfo=UTC), date(2023, 4, 10)),
    ],
)
def test_publication_counts_for_next_session_to_close(published: datetime, session: date) -> None:
    assert session_for_publication("XNYS", published) == session
