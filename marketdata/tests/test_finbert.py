"""FinBERT scorer, tested with a tiny BERT trained on three words."""

import sys
from pathlib import Path

import pytest
import torch
import transformers

from marketdata.errors import ScorerUnavailable
from marketdata.sentiment.catalog import FINBERT, LEXICON, load_scorer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gain", "flat", "drop", "shares"]


def tiny_bert(folder: Path, labels: dict[int, str]) -> str:
    """Train and save a one-layer BERT that knows three words."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizer(vocab=str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    network = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
            id2label=labels,
            label2id={label: place for place, label in labels.items()},
        )
    )
    place_of = {label: place for place, label in labels.items()}
    if "positive" in place_of:
        tokens = tokenizer(["gain", "flat", "drop"], return_tensors="pt")
        target = torch.tensor([place_of[label] for label in ("positive", "neutral", "negative")])
        optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
        for _ in range(40):
            optimizer.zero_grad()
            network(**tokens, labels=target).loss.backward()
            optimizer.step()
    network.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("labels", [("positive", "negative", "neutral"), ("Negative", "Neutral", "Positive")])
def test_local_model_with_any_label_order(tmp_path: Path, labels: tuple[str, ...]) -> None:
    order = {place: label.lower() for place, label in enumerate(labels)}
    scorer = load_scorer(FINBERT, finbert_model=tiny_bert(tmp_path / "bert", order))
    up, level, down = scorer.score(["gain", "flat", "drop"])
    assert (up.label, level.label, down.label) == ("positive", "neutral", "negative")
    assert up.score > 0.5 > abs(level.score)
    assert down.score < -0.5
    assert scorer.name == "finbert"


def test_long_empty_and_many_texts_are_scored(tmp_path: Path) -> None:
    scorer = load_scorer(
        FINBERT, finbert_model=tiny_bert(tmp_path / "bert", {0: "positive", 1: "neutral", 2: "negative"})
    )
    scores = scorer.score(["gain"] * 40 + ["", "drop " * 50_000])
    assert len(scores) == 42
    assert {score.label for score in scores[:40]} == {"positive"}
    assert (scores[40].label, scores[40].score) == ("neutral", 0.0)
    assert scores[41].label == "negative"
    assert scorer.score([]) == []


def test_folder_without_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScorerUnavailable, match="cannot be loaded"):
        load_scorer(FINBERT, finbert_model=str(tmp_path / "nothing"))


def test_model_with_other_labels_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ScorerUnavailable, match="does not have the labels positive, neutral, negative"):
        load_scorer(FINBERT, finbert_model=tiny_bert(tmp_path / "bert", {0: "spam", 1: "ham", 2: "eggs"}))


def test_missing_libraries_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "marketdata.sentiment.finbert", raising=False)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ScorerUnavailable, match=r"requirements/finbert\.txt"):
        load_scorer(FINBERT, finbert_model="anything")


def test_scorer_is_loaded_once() -> None:
    assert load_scorer(LEXICON, finbert_model="a") is load_scorer(LEXICON, finbert_model="a")


def test_unreachable_hub_fails_after_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ScorerUnavailable, match="'missing/no-such-model' cannot be loaded"):
        load_scorer(FINBERT, finbert_model="missing/no-such-model")
