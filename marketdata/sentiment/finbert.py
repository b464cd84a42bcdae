"""FinBERT: a BERT model fine-tuned on financial sentences, from a hub name or a folder."""

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
MAX_TEXT_LENGTH = 4_000
HUB_TIMEOUT_S = 10.0

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


class FinBertScorer:
    """Scores with a sequence classifier with the labels positive, neutral and negative, in any order."""

    name = "finbert"

    def __init__(self, model: str) -> None:
        """Load `model`, a hub name such as `ProsusAI/finbert` or a folder. Raises ScorerUnavailable."""
        try:
            is_local = Path(model).is_dir() or _is_downloaded(model)
            if not is_local:
                # Fail fast: the hub's download would retry for a minute.
                HfApi().model_info(model, timeout=HUB_TIMEOUT_S)
            self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=is_local)
            self._network = AutoModelForSequenceClassification.from_pretrained(model, local_files_only=is_local)
        except (OSError, ValueError, KeyError, HTTPError) as error:
            raise ScorerUnavailable(self.name, f"the model {model!r} cannot be loaded") from error
        labels = {str(label).lower(): int(index) for index, label in self._network.config.id2label.items()}
        if set(labels) != set(LABELS):
            raise ScorerUnavailable(self.name, f"the model {model!r} does not have the labels {', '.join(LABELS)}")
        self._label_indices = [labels[label] for label in LABELS]
        self._max_tokens = int(self._network.config.max_position_embeddings)
        self._network.eval()

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """Return P(positive) - P(negative) and the most likely label; text beyond the token limit is truncated."""
        scores: list[TextScore] = []
        for first in range(0, len(texts), BATCH):
            scores += self._batch([text[:MAX_TEXT_LENGTH] for text in texts[first : first + BATCH]])
        return scores

    def _batch(self, texts: list[str]) -> list[TextScore]:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt")
        with torch.inference_mode():
            probabilities = torch.softmax(self._network(**tokens).logits.double(), dim=-1)[:, self._label_indices]
        return [
            TextScore("neutral", 0.0) if not text.strip() else _as_score(row)
            for text, row in zip(texts, probabilities.tolist(), strict=True)
        ]


def _as_score(probabilities: Sequence[float]) -> TextScore:
    """Convert probabilities in the order of LABELS; ties go to the earlier label."""
    positive, _, negative = probabilities
    likeliest = max(range(len(LABELS)), key=lambda index: probabilities[index])
    return TextScore(LABELS[likeliest], max(-1.0, min(1.0, positive - negative)))


def _is_downloaded(model: str) -> bool:
    """Return whether the hub model is completely cached locally."""
    try:
        AutoTokenizer.from_pretrained(model, local_files_only=True)
        AutoModelForSequenceClassification.from_pretrained(model, local_files_only=True)
    except (OSError, ValueError):
        return False
    return True
