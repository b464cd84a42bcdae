"""Scorer protocol, score type and label helpers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Label = Literal["positive", "neutral", "negative"]
LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")


@dataclass(frozen=True, slots=True)
class TextScore:
    """Sentiment of a text for its subject, from -1 (bad) to 1 (good), and the resulting label."""

    label: Label
    score: float

    def __post_init__(self) -> None:
        if not -1.0 <= self.score <= 1.0:
            raise ValueError(f"score is {self.score}; it must be between -1 and 1")


class Scorer(Protocol):
    """Sentiment scorer; scores are stored under its `name`."""

    @property
    def name(self) -> str: ...

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """Score each text, in order; a text without words is neutral with score 0."""
        ...


def sentiment_label(score: float, *, neutral_within: float) -> Label:
    """Return the label of a score in [-1, 1]: neutral for |score| <= `neutral_within`."""
    if abs(score) <= neutral_within:
        return "neutral"
    return "positive" if score > 0 else "negative"


def scorer_display_name(scorer: str) -> str:
    """Return the display name of a scorer: `alpha_vantage` is Alpha Vantage."""
    return {"finbert": "FinBERT", "x": "X"}.get(scorer, scorer.replace("_", " ").title())
