"""What a scorer is asked and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Label = Literal["positive", "neutral", "negative"]
LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")


@dataclass(frozen=True, slots=True)
class TextScore:
    """How good the news in a text is for its subject: from -1 (bad) to 1 (good), and the label that amounts to."""

    label: Label
    score: float

    def __post_init__(self) -> None:
        if not -1.0 <= self.score <= 1.0:
            raise ValueError(f"a score lies between -1 and 1, not at {self.score}")


class Scorer(Protocol):
    """Reads texts; `name` is what its scores are stored under."""

    @property
    def name(self) -> str: ...

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """One score for each text, in the same order; a text without any word is neutral with 0."""
        ...


def sentiment_label(score: float, *, neutral_within: float) -> Label:
    """The label of a score in [-1, 1]: neutral up to and including `neutral_within` on either side of 0."""
    if abs(score) <= neutral_within:
        return "neutral"
    return "positive" if score > 0 else "negative"


def scorer_display_name(scorer: str) -> str:
    """`alpha_vantage` as people write it: Alpha Vantage."""
    return {"finbert": "FinBERT", "x": "X"}.get(scorer, scorer.replace("_", " ").title())
