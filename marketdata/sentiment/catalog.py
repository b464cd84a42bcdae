"""Load scorers by name; heavy libraries are imported only when their scorer is first used."""

from functools import lru_cache
from importlib import import_module

from marketdata.errors import ScorerUnavailable
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.sentiment.types import Scorer

LEXICON, FINBERT = "lexicon", "finbert"
SCORER_NAMES = (LEXICON, FINBERT)


@lru_cache(maxsize=2)
def load_scorer(name: str, *, finbert_model: str) -> Scorer:
    """Load a scorer, once per process.

    Raises ScorerUnavailable when its libraries or weights are missing, KeyError for an unknown name.
    """
    if name == LEXICON:
        return LexiconScorer()
    if name != FINBERT:
        raise KeyError(name)
    try:
        module = import_module("marketdata.sentiment.finbert")
    except ImportError as error:
        raise ScorerUnavailable(name, "its libraries are missing; install requirements/finbert.txt") from error
    scorer: Scorer = module.FinBertScorer(finbert_model)
    return scorer
