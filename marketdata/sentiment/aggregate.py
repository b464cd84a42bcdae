"""Many scores into one: what a session's articles say together, and how much they differ."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

HALF_LIFE_HOURS = 24.0
# What people write to each other moves the figure less than what is edited.
SOCIAL_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class ScoredArticle:
    """One article's score in [-1, 1] for one company, and how much it counts: `relevance` in [0, 1]."""

    score: float
    relevance: float
    published_at: datetime
    source: str
    is_social: bool = False

    def __post_init__(self) -> None:
        if not -1.0 <= self.score <= 1.0:
            raise ValueError(f"a score lies between -1 and 1, not at {self.score}")
        if not 0.0 <= self.relevance <= 1.0:
            raise ValueError(f"relevance lies between 0 and 1, not at {self.relevance}")


@dataclass(frozen=True, slots=True)
class SentimentSummary:
    """`score` in [-1, 1], None where nobody wrote anything; `dispersion` is the spread around it, None below two."""

    score: float | None
    count: int
    dispersion: float | None


NO_NEWS = SentimentSummary(None, 0, None)


def aggregate(opinions: Sequence[ScoredArticle], *, at: datetime) -> SentimentSummary:
    """The weighted mean of the scores as seen at the instant `at`, and their weighted standard deviation.

    An opinion weighs its relevance, halves every 24 hours before `at`, weighs half from a social network, and shares
    its source's weight: n articles of one source weigh as much as sqrt(n) of different ones. Opinions published after
    `at` could not be known and are left out. Without any, or with none that is relevant, the score is None: no news
    is not neutral news.
    """
    known = [opinion for opinion in opinions if opinion.published_at <= at and opinion.relevance > 0]
    if not known:
        return NO_NEWS
    by_source = Counter(opinion.source for opinion in known)
    newest = max(opinion.published_at for opinion in known)
    # Ages count from the newest opinion, which changes no ratio and keeps old ones from vanishing altogether.
    weights = [
        opinion.relevance
        * 0.5 ** ((newest - opinion.published_at).total_seconds() / 3600 / HALF_LIFE_HOURS)
        * (SOCIAL_WEIGHT if opinion.is_social else 1.0)
        / math.sqrt(by_source[opinion.source])
        for opinion in known
    ]
    total = math.fsum(weights)
    if total == 0:
        return NO_NEWS
    if len(known) == 1:
        return SentimentSummary(known[0].score, 1, None)
    mean = math.fsum(w * opinion.score for w, opinion in zip(weights, known, strict=True)) / total
    mean = max(-1.0, min(1.0, mean))
    variance = math.fsum(w * (opinion.score - mean) ** 2 for w, opinion in zip(weights, known, strict=True)) / total
    return SentimentSummary(mean, len(known), math.sqrt(max(0.0, variance)))
