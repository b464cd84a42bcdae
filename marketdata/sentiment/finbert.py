"""FinBERT: a BERT fine-tuned on financial sentences, from a model hub's name or from a folder."""

from collections.abc import Sequence
from pathlib import Path

import torch
from httpx2 import HTTPError
from huggingface_hub import HfApi
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from marketdata.errors import ScorerUnavailable
from marketdata.sentiment.types import LABELS, TextScore

BATCH = 32
LONGEST_TEXT = 4_000
HUB_TIMEOUT_S = 10.0

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


class FinBertScorer:
    """Scores by a sequence classifier with the labels positive, neutral and negative, in any order."""

    name = "finbert"

    def __init__(self, model: str) -> None:
        """`model`: such as `ProsusAI/finbert`, or a folder with its files. Raises ScorerUnavailable."""
        try:
            here = Path(model).is_dir() or _is_downloaded(model)
            if not here:
                # The hub's own download asks six times over a minute; this asks once.
                HfApi().model_info(model, timeout=HUB_TIMEOUT_S)
            self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=here)
            self._network = AutoModelForSequenceClassification.from_pretrained(model, local_files_only=here)
        except (OSError, ValueError, KeyError, HTTPError) as error:
            raise ScorerUnavailable(self.name, f"the model {model!r} cannot be loaded") from error
        labels = {str(label).lower(): int(place) for place, label in self._network.config.id2label.items()}
        if set(labels) != set(LABELS):
            raise ScorerUnavailable(self.name, f"the model {model!r} does not tell {', '.join(LABELS)} apart")
        self._places = [labels[label] for label in LABELS]
        self._longest = int(self._network.config.max_position_embeddings)
        self._network.eval()

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """P(positive) - P(negative), and the likeliest label; words beyond the network's reach are left out."""
        scores: list[TextScore] = []
        for first in range(0, len(texts), BATCH):
            scores += self._batch([text[:LONGEST_TEXT] for text in texts[first : first + BATCH]])
        return scores

    def _batch(self, texts: list[str]) -> list[TextScore]:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt")
        with torch.inference_mode():
            chances = torch.softmax(self._network(**tokens).logits.double(), dim=-1)[:, self._places]
        return [
            TextScore("neutral", 0.0) if not text.strip() else _as_score(row)
            for text, row in zip(texts, chances.tolist(), strict=True)
        ]


def _as_score(chances: Sequence[float]) -> TextScore:
    """chances: of positive, neutral and negative, in the order of LABELS; ties go to the earlier."""
    positive, _, negative = chances
    likeliest = max(range(len(LABELS)), key=lambda place: chances[place])
    return TextScore(LABELS[likeliest], max(-1.0, min(1.0, positive - negative)))


def _is_downloaded(model: str) -> bool:
    """Whether the hub's model is whole in its cache on this machine."""
    try:
        AutoTokenizer.from_pretrained(model, local_files_only=True)
        AutoModelForSequenceClassification.from_pretrained(model, local_files_only=True)
    except (OSError, ValueError):
        return False
    return True
