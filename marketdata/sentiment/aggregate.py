"""Aggregate article scores into a weighted mean and dispersion."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

HALF_LIFE_HOURS = 24.0
# Social media posts count less than edited articles.
SOCIAL_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class ScoredArticle:
    """Score of one article for one company in [-1, 1], with its relevance in [0, 1]."""

    score: float
    relevance: float
    published_at: datetime
    source: str
    is_social: bool = False

    def __post_init__(self) -> None:
        if not -1.0 <= self.score <= 1.0:
            raise ValueError(f"score is {self.score}; it must be between -1 and 1")
        if not 0.0 <= self.relevance <= 1.0:
            raise ValueError(f"relevance is {self.relevance}; it must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class SentimentSummary:
    """Weighted mean score in [-1, 1], None without articles; `dispersion` is None below two articles."""

    score: float | None
    count: int
    dispersion: float | None


NO_NEWS = SentimentSummary(None, 0, None)


def aggregate(articles: Sequence[ScoredArticle], *, at: datetime) -> SentimentSummary:
    """Return the weighted mean of the scores known at `at`, and their weighted standard deviation.

    An article's weight is its relevance, halved for every 24 hours before `at`, halved for social media, and divided by
    sqrt(n) for n articles of its source. Articles published after `at` are left out. Without relevant articles the
    score is None, not neutral.
    """
    known = [article for article in articles if article.published_at <= at and article.relevance > 0]
    if not known:
        return NO_NEWS
    by_source = Counter(article.source for article in known)
    newest = max(article.published_at for article in known)
    # Ages are relative to the newest article: the ratios are the same, and old articles do not underflow to 0.
    weights = [
        article.relevance
        * 0.5 ** ((newest - article.published_at).total_seconds() / 3600 / HALF_LIFE_HOURS)
        * (SOCIAL_WEIGHT if article.is_social else 1.0)
        / math.sqrt(by_source[article.source])
        for article in known
    ]
    total = math.fsum(weights)
    if total == 0:
        return NO_NEWS
    if len(known) == 1:
        return SentimentSummary(known[0].score, 1, None)
    mean = math.fsum(w * article.score for w, article in zip(weights, known, strict=True)) / total
    mean = max(-1.0, min(1.0, mean))
    variance = math.fsum(w * (article.score - mean) ** 2 for w, article in zip(weights, known, strict=True)) / total
    return SentimentSummary(mean, len(known), math.sqrt(max(0.0, variance)))
