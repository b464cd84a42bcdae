"""Merge the word lists: general words weigh little, market words are decisive."""

import lzma
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# SentiBignomics grades from -1 to 1, VADER from -4 to 4. Both contain many words that reports use neutrally (share,
# agreement, security, value), so one such word alone must leave a text neutral.
SENTIBIGNOMICS_WEIGHT = 0.3
GENERAL_WEIGHT = 0.15


@lru_cache(maxsize=1)
def market_valences() -> Mapping[str, float]:
    """Return valence by word on VADER's scale; later lists override earlier ones."""
    return {
        **{word: valence * SENTIBIGNOMICS_WEIGHT for word, valence in _compressed("sentibignomics").items()},
        **_compressed("henry"),
        **_read((FOLDER / "market_words.tsv").read_text(encoding="utf-8")),
    }


def _compressed(name: str) -> dict[str, float]:
    return _read(lzma.decompress((FOLDER / f"{name}.tsv.xz").read_bytes()).decode())


def _read(table: str) -> dict[str, float]:
    """Parse lines of word and valence below a header."""
    rows = (line.split("\t") for line in table.splitlines()[1:] if line)
    return {word: float(valence) for word, valence in rows}
