"""The word lists, joined into one: general words weigh little, words of the market decide."""

import lzma
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# SentiBignomics grades from -1 to 1 and VADER from -4 to 4. Both are full of words that reports use without any
# judgement (share, agreement, security, value), so one of them alone does not carry a text out of neutral.
SENTIBIGNOMICS_WEIGHT = 0.3
GENERAL_WEIGHT = 0.15


@lru_cache(maxsize=1)
def market_valences() -> Mapping[str, float]:
    """Valence by word, on VADER's scale, of the lists that are shipped; later lists overrule earlier ones."""
    return {
        **{word: valence * SENTIBIGNOMICS_WEIGHT for word, valence in _packed("sentibignomics").items()},
        **_packed("henry"),
        **_read((FOLDER / "market_words.tsv").read_text(encoding="utf-8")),
    }


def _packed(name: str) -> dict[str, float]:
    return _read(lzma.decompress((FOLDER / f"{name}.tsv.xz").read_bytes()).decode())


def _read(table: str) -> dict[str, float]:
    """Word and valence a line, under one line of headings."""
    rows = (line.split("\t") for line in table.splitlines()[1:] if line)
    return {word: float(valence) for word, valence in rows}
