"""Default scorer: VADER's rules for negation, degree and contrast on market word lists.

How well it does is measured in docs/decisions/0015-lexicon-sentiment-scorer.md.
"""

from collections.abc import Sequence
from functools import lru_cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from marketdata.sentiment.lexicon.comparisons import replace_phrases
from marketdata.sentiment.lexicon.word_lists import GENERAL_WEIGHT, market_valences
from marketdata.sentiment.types import TextScore, sentiment_label

# One judging word (1.5 VADER points give .36) is enough; words that merely colour a report are not.
NEUTRAL_WITHIN = 0.2
# The subject comes first in a text; the limit bounds the time for very long lines.
MAX_TEXT_LENGTH = 4_000


class LexiconScorer:
    """Scores headlines and report sentences without model weights, about 6,000 texts a second."""

    name = "lexicon"

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """Return VADER's compound score on market words; texts are truncated to 4,000 characters."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> TextScore:
        compound = float(_engine().polarity_scores(replace_phrases(text[:MAX_TEXT_LENGTH]))["compound"])
        return TextScore(sentiment_label(compound, neutral_within=NEUTRAL_WITHIN), compound)


@lru_cache(maxsize=1)
def _engine() -> SentimentIntensityAnalyzer:
    engine = SentimentIntensityAnalyzer()
    general = {word: valence * GENERAL_WEIGHT for word, valence in engine.lexicon.items()}
    engine.lexicon = general | dict(market_valences())
    return engine
