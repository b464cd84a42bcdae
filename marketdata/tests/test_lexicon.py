"""The default scorer on labelled texts, and the rules that lists of words cannot hold."""

import time
from pathlib import Path

import pytest

from marketdata.sentiment.lexicon.comparisons import rewritten
from marketdata.sentiment.lexicon.scorer import LONGEST_TEXT, LexiconScorer
from marketdata.sentiment.lexicon.words import market_valences
from marketdata.sentiment.types import LABELS, TextScore, label_of

LABELLED = Path(__file__).parent / "labelled"


def labelled(name: str) -> list[tuple[str, str]]:
    lines = (LABELLED / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [(label, text) for label, _, text in (line.partition("\t") for line in lines)]


def f1(truth: list[str], said: list[str], label: str) -> float:
    hits = sum(a == b == label for a, b in zip(truth, said, strict=True))
    return 2 * hits / (truth.count(label) + said.count(label))


@pytest.mark.parametrize(("name", "size"), [("headlines", 72), ("reports", 66), ("mixed", 70), ("more_reports", 60)])
def test_labelled_texts_are_told_apart(name: str, size: int) -> None:
    rows = labelled(name)
    assert len(rows) == size
    truth = [label for label, _ in rows]
    said = [score.label for score in LexiconScorer().score([text for _, text in rows])]
    assert sum(a == b for a, b in zip(truth, said, strict=True)) / size >= 0.9
    assert sum(f1(truth, list(said), label) for label in LABELS) / 3 >= 0.9


def test_the_headlines_are_balanced() -> None:
    truth = [label for label, _ in labelled("headlines")]
    assert [truth.count(label) for label in LABELS] == [24, 24, 24]


def test_both_lists_are_there_whole() -> None:
    valences = market_valences()
    assert len(valences) > 7_400
    # abundance is .75 in SentiBignomics, times .3; worsening is -1.5 in Henry's list.
    assert valences["abundance"] == pytest.approx(0.225)
    assert valences["worsening"] == -1.5


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Net loss narrowed to EUR 2 mn from EUR 5 mn", "marketbetter"),
        ("Net loss was EUR 5 mn, compared to a loss of EUR 2 mn", "marketworse"),
        ("Revenue of $950 million versus $1.2 billion a year ago", "marketworse"),
        ("Operating margin was 11.2 % against 8.3 %", "marketbetter"),
        ("The firm swung to a profit", "marketbetter"),
        ("The firm swung to a net loss", "marketworse"),
        ("Costs fell sharply", "marketbetter"),
        ("Unemployment is rising", "marketworse"),
        ("Net profit was EUR 2 mn, compared with a loss of EUR 9 mn", "marketbetter"),
        ("Operating loss was EUR 2 mn, compared with a profit of EUR 1 mn", "marketworse"),
    ],
)
def test_a_comparison_is_understood(text: str, word: str) -> None:
    assert word in rewritten(text)


@pytest.mark.parametrize(
    "text",
    [
        "Net sales were EUR 5 mn, compared with EUR 5 mn",
        "Profit rose 5 % from EUR 7 mn",
        "The offer runs from 3 to 5 May",
    ],
)
def test_numbers_that_say_nothing_are_left_alone(text: str) -> None:
    assert rewritten(text) == text


def test_a_negation_turns_a_word_around() -> None:
    plain, negated = LexiconScorer().score(["Demand is strong", "Demand is not strong"])
    assert plain.score > 0.2
    assert negated.score < 0


@pytest.mark.parametrize(
    "text", ["", "   ", "\t", "…", "12 34", "\ud83d\ude80".encode("utf-16", "surrogatepass").decode("utf-16")]
)
def test_a_text_without_words_of_the_market_is_neutral(text: str) -> None:
    assert LexiconScorer().score([text])[0].label == "neutral"


def test_a_huge_line_takes_no_longer_than_its_beginning() -> None:
    started = time.perf_counter()
    scores = LexiconScorer().score(["profit " * 1_000_000, "loss but " * 500_000, "from 1 " * 500_000, "a" * 5_000_000])
    assert time.perf_counter() - started < 5
    assert [scores[0]] == LexiconScorer().score([("profit " * 1_000)[:LONGEST_TEXT]])


def test_scores_are_the_same_in_any_company() -> None:
    texts = [text for _, text in labelled("headlines")]
    together = LexiconScorer().score(texts)
    assert together == [LexiconScorer().score([text])[0] for text in texts]
    assert all(-1 <= score.score <= 1 for score in together)


@pytest.mark.parametrize(
    ("score", "label"), [(0.2, "neutral"), (0.21, "positive"), (-0.21, "negative"), (0.0, "neutral")]
)
def test_small_scores_are_neutral(score: float, label: str) -> None:
    assert label_of(score, neutral_within=0.2) == label


def test_a_score_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        TextScore("positive", 1.01)


def test_a_fall_in_a_period_is_a_fall() -> None:
    fell, within = LexiconScorer().score(["Sales fell in the quarter", "The plots fell within the scope of the plan"])
    assert (fell.label, within.label) == ("negative", "neutral")
