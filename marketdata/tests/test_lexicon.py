"""Lexicon scorer on labelled texts, and its phrase rules."""

from pathlib import Path

import pytest

from marketdata.sentiment.lexicon.comparisons import normalise_numbers, replace_phrases
from marketdata.sentiment.lexicon.scorer import MAX_TEXT_LENGTH, LexiconScorer
from marketdata.sentiment.lexicon.word_lists import market_valences
from marketdata.sentiment.types import LABELS, TextScore, sentiment_label

LABELLED = Path(__file__).parent / "labelled"


def labelled(name: str) -> list[tuple[str, str]]:
    lines = (LABELLED / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [(label, text) for label, _, text in (line.partition("\t") for line in lines)]


def f1(truth: list[str], predicted: list[str], label: str) -> float:
    hits = sum(a == b == label for a, b in zip(truth, predicted, strict=True))
    return 2 * hits / (truth.count(label) + predicted.count(label))


@pytest.mark.parametrize(("name", "size"), [("headlines", 72), ("reports", 66), ("mixed", 70), ("more_reports", 60)])
def test_labelled_texts_are_classified(name: str, size: int) -> None:
    rows = labelled(name)
    assert len(rows) == size
    truth = [label for label, _ in rows]
    predicted = [score.label for score in LexiconScorer().score([text for _, text in rows])]
    assert sum(a == b for a, b in zip(truth, predicted, strict=True)) / size >= 0.9
    assert sum(f1(truth, list(predicted), label) for label in LABELS) / 3 >= 0.9


def test_labelled_headlines_are_balanced() -> None:
    truth = [label for label, _ in labelled("headlines")]
    assert [truth.count(label) for label in LABELS] == [24, 24, 24]


def test_word_lists_are_complete() -> None:
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
        ("Revenue for the 12-month period was EUR14 .2 m, against EUR13 .9 m", "marketbetter"),
        ("Turnover of the half ended June 30 was 7.5 mln eur ( $ 8.1 mln ), versus 9.2 mln eur", "marketworse"),
        ("Net profit was EUR2 .1 m, compared to EUR995 ,000 a year ago", "marketbetter"),
        ("Sales were SEK 12,300 million, against SEK 11 bn", "marketbetter"),
        ("EBIT margin was 4.1 pct, compared to 6.3 per cent", "marketworse"),
        ("The chain underperforms as volumes shrink and debt climbs", "marketworse"),
        ("Deliveries of vans may turn out to be less than in 2019", "marketworse"),
        ("The brewer's shares lost 2.5 % in Oslo", "marketworse"),
        ("The lender lost about $ 3 million on the loan", "marketworse"),
        ("Quarrels over tolls cloud the haulier's prospects", "marketworse"),
        ("The merger brings annual savings of EUR 8 mn", "marketbetter"),
        ("The new line makes the mill more cost-efficient", "marketbetter"),
    ],
)
def test_comparison_is_scored(text: str, word: str) -> None:
    assert word in replace_phrases(text)


@pytest.mark.parametrize(
    "text",
    [
        "Net sales were EUR 5 mn, compared with EUR 5 mn",
        "Profit rose 5 % from EUR 7 mn",
        "The offer runs from 3 to 5 May",
        "Orders climbed from GBP 9 mn in spring, as compared to the drought of 2018",
        "Margins for the 18-month span widened from 7 %, as compared to 2016",
        "Net sales were EUR 200 mn, while operating profit was EUR 10 mn",
        "Profit was up from EUR 8 mn, compared to EUR 9 mn in the plan",
    ],
)
def test_incomparable_numbers_are_unchanged(text: str) -> None:
    assert "market" not in replace_phrases(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("profit of eur6 .7 m and eur995 ,000", "profit of eur6.7 m and eur995,000"),
        ("sales of 2.5 mln eur ( $ 3.1 mln ) in may 2009", "sales of 2.5 mln eur   in may that year"),
        ("on march 31 , 2008 the 9-month report", "on that day , 2008 the month report"),
        ("in 2010 , up from 2009", "in that year , up from that year"),
        ("from 2000 units to 2000 eur", "from 2000 units to 2000 eur"),
        ("no figures at all", "no figures at all"),
    ],
)
def test_numbers_are_normalised(text: str, plain: str) -> None:
    assert normalise_numbers(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "A spokeswoman for the airport declined to comment",
        "A brewer from Ghent plans to set up a depot near Lyon",
        "Pensioners make up a tenth of the readers",
        "The drone weighs about 3 kilograms",
        "The sale is subject to final talks and the usual approvals",
        "STOCK EXCHANGE RELEASE: INCREASE IN SHARE CAPITAL REGISTERED, PROVIDED BY NEWSWIRE SERVICES",
        "Ms Okafor succeeds Mr Brandt as head of the Leeds office",
    ],
)
def test_plain_facts_are_neutral(text: str) -> None:
    assert LexiconScorer().score([text])[0].label == "neutral"


def test_gone_up_to_means_growth() -> None:
    gone_up, at_most = LexiconScorer().score(
        ["The backlog of the yard has gone up to 31 ships", "The yard can hold up to 31 ships"]
    )
    assert (gone_up.label, at_most.label) == ("positive", "neutral")


def test_concessions_are_ignored() -> None:
    good, also_good, bad = LexiconScorer().score(
        [
            "Tyre deliveries grew in spite of the mild winter and falling truck registrations",
            "Despite weak demand and a 2.5 % drop in volumes, margins improved",
            "Shares slid despite strong growth",
        ]
    )
    assert (good.label, also_good.label, bad.label) == ("positive", "positive", "negative")


def test_case_is_ignored() -> None:
    plain, loud = LexiconScorer().score(["Profits fell at the bank", "PROFITS FELL at the bank"])
    assert plain == loud


def test_negation_reverses_a_word() -> None:
    plain, negated = LexiconScorer().score(["Demand is strong", "Demand is not strong"])
    assert plain.score > 0.2
    assert negated.score < 0


@pytest.mark.parametrize(
    "text", ["", "   ", "\t", "…", "12 34", "\ud83d\ude80".encode("utf-16", "surrogatepass").decode("utf-16")]
)
def test_text_without_market_words_is_neutral(text: str) -> None:
    assert LexiconScorer().score([text])[0].label == "neutral"


def test_long_text_is_truncated() -> None:
    texts = ["profit " * 1_000_000, "loss but " * 500_000, "from 1 " * 500_000, "a" * 5_000_000]
    assert LexiconScorer().score(texts) == LexiconScorer().score([text[:MAX_TEXT_LENGTH] for text in texts])


def test_scores_do_not_depend_on_the_batch() -> None:
    texts = [text for _, text in labelled("headlines")]
    together = LexiconScorer().score(texts)
    assert together == [LexiconScorer().score([text])[0] for text in texts]
    assert all(-1 <= score.score <= 1 for score in together)


@pytest.mark.parametrize(
    ("score", "label"), [(0.2, "neutral"), (0.21, "positive"), (-0.21, "negative"), (0.0, "neutral")]
)
def test_small_scores_are_neutral(score: float, label: str) -> None:
    assert sentiment_label(score, neutral_within=0.2) == label


def test_score_out_of_range_is_rejected() -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        TextScore("positive", 1.01)


def test_fall_within_a_period_is_negative() -> None:
    fell, within = LexiconScorer().score(["Sales fell in the quarter", "The plots fell within the scope of the plan"])
    assert (fell.label, within.label) == ("negative", "neutral")
