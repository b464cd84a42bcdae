"""One story, one article: addresses without what only tracks the reader, and titles that say the same."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from marketdata.sentiment.lexicon.word_lists import market_valences

LEAST_OVERLAP = 0.8
FEWEST_WORDS = 4
# A word with at least this valence turns the meaning around, so that titles which differ in it are two stories.
WEIGHTY = 0.5
TRACKING = re.compile(
    r"utm_.*|.*clid|mc_[ce]id|igshid|cmpid|cid|ncid|ref|ref_src|referrer|source|src|soc_.*|guce.*|guc.*|\.tsrc|tsrc"
    r"|mod|smid|partner|feature|taid|yptr|share.*|amp|outputtype|ocid|sh|via",
    re.IGNORECASE,
)
IDLE_WORDS = frozenset(
    {
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "its",
        "of",
        "on",
        "or",
        "says",
        "the",
        "to",
    }
    | {"with", "after", "amid", "report"}
)
_OUTLET = re.compile(r"\s+[|\u2013\u2014-]\s+[^|\u2013\u2014]{2,40}$")
_WORD = re.compile(r"[^\W_]+(?:[.,'&][^\W_]+)*%?")


def canonical_url(url: str) -> str:
    """The address under which a story is stored: https, no `www`, no tracking, parameters in order, no fragment.

    Raises ValueError for what is no address of the web.
    """
    parts = urlsplit(url.strip())
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme.lower() not in ("http", "https") or "." not in host:
        raise ValueError("not an address of the web")
    host = re.sub(r"^(?:www\d?|m|mobile|amp)\.(?=[^.]+\.)", "", host)
    if parts.port not in (None, 80, 443):
        host = f"{host}:{parts.port}"
    path = re.sub(r"/(?:amp/?|index\.html?)$", "", re.sub(r"//+", "/", parts.path)).rstrip("/")
    kept = sorted(
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not TRACKING.fullmatch(name)
    )
    return urlunsplit(("https", host, path, urlencode(kept), ""))


def title_words(title: str) -> frozenset[str]:
    """What a title says, without its order, its small words and the outlet that some put behind it."""
    bare = _OUTLET.sub("", title) if len(title.split()) > FEWEST_WORDS + 2 else title
    words = frozenset(_WORD.findall(bare.lower().replace("\u2019", "'")))
    return words - IDLE_WORDS or words


def are_same_story(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two titles are near-identical: nearly all words in common, and neither a number nor the tone apart."""
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < FEWEST_WORDS or len(one & other) / len(one | other) < LEAST_OVERLAP:
        return False
    valences = market_valences()
    return not any(any(sign.isdigit() for sign in w) or abs(valences.get(w, 0.0)) >= WEIGHTY for w in one ^ other)


def first_that_says(title: str, others: Sequence[frozenset[str]] | Iterable[frozenset[str]]) -> int | None:
    """The place of the first of `others` that says the same as `title`; None when there is none."""
    words = title_words(title)
    return next((place for place, other in enumerate(others) if are_same_story(words, other)), None)
