"""The one table of scorers: a heavy library is loaded when its scorer is first asked for, and only then."""

from functools import lru_cache
from importlib import import_module

from marketdata.errors import ScorerUnavailable
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.sentiment.types import Scorer

LEXICON, FINBERT = "lexicon", "finbert"
SCORER_NAMES = (LEXICON, FINBERT)


@lru_cache(maxsize=2)
def load_scorer(name: str, *, finbert_model: str) -> Scorer:
    """The scorer of that name, loaded once in a process.

    Raises ScorerUnavailable when its libraries are not installed or its weights cannot be had, KeyError for a name
    that is not in the table.
    """
    if name == LEXICON:
        return LexiconScorer()
    if name != FINBERT:
        raise KeyError(name)
    try:
        module = import_module("marketdata.sentiment.finbert")
    except ImportError as error:
        raise ScorerUnavailable(name, "its libraries are not installed (requirements/finbert.txt)") from error
    scorer: Scorer = module.FinBertScorer(finbert_model)
    return scorer
