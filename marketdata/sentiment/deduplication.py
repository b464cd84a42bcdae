"""Detect duplicate articles: canonical URLs without tracking, and near-identical titles."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from marketdata.sentiment.lexicon.word_lists import market_valences

MIN_OVERLAP = 0.8
MIN_WORDS = 4
# Titles that differ in a word with at least this valence are different stories.
STRONG_VALENCE = 0.5
TRACKING_PARAMETERS = re.compile(
    r"utm_.*|.*clid|mc_[ce]id|igshid|cmpid|cid|ncid|ref|ref_src|referrer|source|src|soc_.*|guce.*|guc.*|\.tsrc|tsrc"
    r"|mod|smid|partner|feature|taid|yptr|share.*|amp|outputtype|ocid|sh|via",
    re.IGNORECASE,
)
STOP_WORDS = frozenset({
    "a", "after", "amid", "an", "and", "as", "at", "by", "for", "from", "in", "into", "is", "its", "of", "on", "or",
    "report", "says", "the", "to", "with",
})  # fmt: skip
_PUBLISHER_SUFFIX = re.compile(r"\s+[|\u2013\u2014-]\s+[^|\u2013\u2014]{2,40}$")
_WORD = re.compile(r"[^\W_]+(?:[.,'&][^\W_]+)*%?")


def canonical_url(url: str) -> str:
    """Return the canonical URL: https, no `www`, no tracking parameters, sorted query, no fragment.

    Raises ValueError for anything but an HTTP URL.
    """
    parts = urlsplit(url.strip())
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme.lower() not in ("http", "https") or "." not in host:
        raise ValueError("not an HTTP URL")
    host = re.sub(r"^(?:www\d?|m|mobile|amp)\.(?=[^.]+\.)", "", host)
    if parts.port not in (None, 80, 443):
        host = f"{host}:{parts.port}"
    path = re.sub(r"/(?:amp/?|index\.html?)$", "", re.sub(r"//+", "/", parts.path)).rstrip("/")
    query = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not TRACKING_PARAMETERS.fullmatch(name)
    )
    return urlunsplit(("https", host, path, urlencode(query), ""))


def title_words(title: str) -> frozenset[str]:
    """Return a title's words without stop words and a trailing publisher name."""
    bare = _PUBLISHER_SUFFIX.sub("", title) if len(title.split()) > MIN_WORDS + 2 else title
    words = frozenset(_WORD.findall(bare.lower().replace("\u2019", "'")))
    return words - STOP_WORDS or words


def are_same_story(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether two titles share nearly all words and differ in no number or strong word."""
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < MIN_WORDS or len(one & other) / len(one | other) < MIN_OVERLAP:
        return False
    valences = market_valences()
    return not any(
        any(char.isdigit() for char in w) or abs(valences.get(w, 0.0)) >= STRONG_VALENCE for w in one ^ other
    )
