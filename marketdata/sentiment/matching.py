"""Relevance of a text to a company, including companies named like everyday words (META, CAT, ALL, NOW)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CASHTAG, LISTING, FULL_NAME, SHORT_NAME, WORD_WITH_CONTEXT = 1.0, 1.0, 0.9, 0.8, 0.6
BODY_ONLY = 0.5
MIN_RELEVANCE = 0.25
MIN_BARE_SYMBOL_LENGTH = 3

LEGAL_FORMS = (
    r"incorporated|inc|corporation|corp|company|co|plc|ltd|limited|llc|lp|sa|se|ag|nv|ab|asa|oyj|spa|holdings?"
    r"|group|trust|the"
)
_SHARE_CLASS = re.compile(
    r"\s+(?:class|series)\s+[a-z]\b.*|\s+(?:common stock|ordinary shares|adr|ads)\b.*", re.IGNORECASE
)
_LEGAL_FORM_SUFFIX = re.compile(rf"[\s,]+(?:{LEGAL_FORMS})\.?$", re.IGNORECASE)
_INDUSTRY_SUFFIX = re.compile(
    r"[\s,]+(?:platforms|technologies|technology|systems|international|industries|entertainment|stores|wholesale"
    r"|motors?|communications|pharmaceuticals|software|financial|energy|brands|enterprises|laboratories|interactive)$",
    re.IGNORECASE,
)
# Names and symbols that are ordinary words: alone they do not identify a company.
EVERYDAY = frozenset((Path(__file__).parent / "everyday.txt").read_text(encoding="utf-8").split())
_CONTEXT = re.compile(
    r"\b(?:shares?|stocks?|shareholders?|earnings|revenues?|profits?|dividend|quarter(?:ly)?|analysts?|investors?|ceo|cfo"
    r"|chief executive|guidance|market cap|price target|upgraded?|downgraded?|nasdaq|nyse|wall street|buyback|antitrust"
    r"|layoffs|valuation|etf|lawsuit|acquisition|acquires?|merger|ipo|iphones?|data cent(?:er|re)s?|regulators?)\b",
    re.IGNORECASE,
)
# Words after a symbol that mark it as a listing.
_AS_LISTING = (
    r"(?:stock|ETF|price target|rises|falls|jumps|drops|gains|slips|climbs|surges|plunges|tumbles|soars"
    r"|(?:closes|opens|ends|trades) (?:higher|lower|up|down|flat))\b"
)
# Common names of companies registered under another name.
COMMON_NAMES = {
    "GOOG": ("Google",),
    "GOOGL": ("Google",),
    "META": ("Facebook", "Instagram", "WhatsApp"),
    "SPY": ("SPDR",),
}
# Phrases in which the name does not mean the company.
_OTHER_MEANINGS = re.compile(
    r"\b(?:amazon(?:ian)? (?:rain ?forest|river|basin|jungle|forest|delta|tribes?|fires?)"
    r"|apple (?:pie|juice|cider|orchards?|trees?|growers?|harvest|sauce|crumble|blossoms?)"
    r"|meta (?:analys[ie]s|description|tags?|data)|target (?:date|practice|range|shooting)|gap year"
    r"|visa (?:applications?|holders?|rules|waivers?|requirements?|fees?))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Company:
    """Symbol and registered name of a company."""

    symbol: str
    name: str


def relevance_of(title: str, body: str, company: Company) -> float:
    """Return the relevance of a text to the company, from 0 (none) to 1.

    A cashtag ($META), a listing (NASDAQ: META) or the registered name is decisive. A short name or symbol that is also
    an ordinary word counts only if capitalised and near market words. A mention only in the body counts half.
    """
    whole = f"{title}. {body}"
    in_title = _strength(title, whole, company)
    if in_title:
        return in_title
    return BODY_ONLY * _strength(body, whole, company)


def search_words(company: Company) -> Sequence[str]:
    """Return search phrases: the registered name without its legal form, and shorter names."""
    names = _names(company.name)
    return tuple(dict.fromkeys((names.full, names.short, *COMMON_NAMES.get(company.symbol, ()))))


@dataclass(frozen=True, slots=True)
class _Names:
    full: str
    short: str


@lru_cache(maxsize=4096)
def _names(registered: str) -> _Names:
    """Derive names: `Meta Platforms, Inc.` has the full name Meta Platforms and the short name Meta."""
    full = re.sub(r"^the\s+", "", _SHARE_CLASS.sub("", registered).strip(), flags=re.IGNORECASE)
    while (shorter := _LEGAL_FORM_SUFFIX.sub("", full).strip(" ,")) != full and shorter:
        full = shorter
    short = _INDUSTRY_SUFFIX.sub("", full).strip(" ,") or full
    return _Names(full, re.sub(r"\.com$", "", short, flags=re.IGNORECASE))


def _strength(part: str, whole: str, company: Company) -> float:
    if not part:
        return 0.0
    symbol = re.escape(company.symbol)
    if re.search(rf"(?<![\w$])\${symbol}(?![\w-]|\.\w)", part, re.IGNORECASE):
        return CASHTAG
    if re.search(rf"\b(?:NASDAQ|NYSE|NYSEARCA|XNAS|XNYS|LSE|HKEX)\s?:\s?{symbol}\b", part):
        return LISTING
    part = _OTHER_MEANINGS.sub(" ", part)
    names = _names(company.name)
    if any(_has_name(part, name) for name in COMMON_NAMES.get(company.symbol, ())):
        return SHORT_NAME
    if names.full.lower() not in EVERYDAY and " " in names.full and _has_name(part, names.full):
        return FULL_NAME
    if _has_name(part, names.short):
        if names.short.lower() not in EVERYDAY:
            return SHORT_NAME
        if _CONTEXT.search(whole) and not _is_all_caps(part):
            return WORD_WITH_CONTEXT
    return WORD_WITH_CONTEXT if _has_symbol(part, whole, company.symbol) else 0.0


def _has_name(part: str, name: str) -> bool:
    """Return whether the name occurs; lower case matches only names that are not ordinary words."""
    lenient = len(name) > 3 and name.lower() not in EVERYDAY
    bounded = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    return bool(re.search(bounded, part, re.IGNORECASE if lenient else re.NOFLAG))


def _has_symbol(part: str, whole: str, symbol: str) -> bool:
    """Return whether the symbol occurs near market words; ordinary words only as in (CAT) or CAT rises."""
    if _is_all_caps(part) or not _CONTEXT.search(whole):
        return False
    escaped = re.escape(symbol)
    if len(symbol) < MIN_BARE_SYMBOL_LENGTH:
        return bool(re.search(rf"\({escaped}\)", part)) and len(symbol) > 1
    if symbol.lower() in EVERYDAY:
        return bool(re.search(rf"\({escaped}\)|(?<![\w$.-]){escaped} {_AS_LISTING}", part))
    return bool(re.search(rf"(?<![\w$.-]){escaped}(?![\w-])", part))


def _is_all_caps(part: str) -> bool:
    """Return whether a text is all capitals, where every word looks like a symbol."""
    letters = [char for char in part if char.isalpha()]
    return len(letters) > 12 and sum(char.isupper() for char in letters) > 0.7 * len(letters)
