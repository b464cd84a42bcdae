"""Rewriting what only the whole phrase tells: a loss that shrinks is good news, and 5.6 against 3.9 is a rise.

Each recognised phrase becomes one word that the lists know, `marketbetter` or `marketworse`.
"""

import re
from collections.abc import Callable

BETTER, WORSE = " marketbetter ", " marketworse "
UNITS = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "mln": 1e6,
    "million": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "billion": 1e9,
}
PERCENT = ("%", "percent")

_LOSS = r"(?:loss|losses|deficit)"
_BURDEN = (
    r"(?:loss(?:es)?|deficits?|costs?|expenses|expenditures?|debts?|unemployment|impairments?|write-?downs?|charges)"
)
_GAIN = (
    r"(?:profits?|return on \w+|earnings|eps|ebitda?|result|sales|revenues?|turnover|income|cash flow"
    r"|order (?:book|intake)|orders|margin|dividend|volumes?|deliveries)"
)
_DOWN = (
    r"(?:fell|falls?|fallen|falling|dropp?(?:ed|s|ing)?|declin(?:ed|es?|ing)|decreas(?:ed|es?|ing)|shr[aiu]nk(?:s|ing)?"
    r"|narrow(?:ed|s|ing)?|lower(?:ed|s)?|cut(?:s|ting)?|reduc(?:ed|es?|ing)|halv(?:ed|es?|ing)|trim(?:s|med|ming)?"
    r"|sav(?:ed|es?|ing)|slash(?:ed|es|ing)?)"
)
_UP = (
    r"(?:rose|rises?|risen|rising|gr[eo]w(?:s|n|ing)?|increas(?:ed|es?|ing)|climb(?:ed|s|ing)?|widen(?:ed|s|ing)?"
    r"|higher|surg(?:ed|es?|ing)|jump(?:ed|s|ing)?|mount(?:ed|s|ing)?|deepen(?:ed|s|ing)?|soar(?:ed|s|ing)?)"
)
_WORDS = r"(?:[\w'&-]+ ){0,3}?"
_NUMBER = r"(\d[\d,]*(?:\.\d+)?)\s?(%|percent\b|(?:k|thousand|mn|mln|million|m|bn|billion|b)?\b(?!\s?%| percent))"
_AGAINST = r"(?:compared (?:to|with)|as against|against|versus|vs\.?|from|while)"
_GAP = r"[^.;\d]{0,60}?"

_COMPARED = re.compile(
    rf"\b({_GAIN}|{_LOSS})\b([^;\d]{{0,80}}?){_NUMBER}([^;\d]{{0,60}}?){_AGAINST}({_GAP}){_NUMBER}", re.IGNORECASE
)
_TURNED_GOOD = re.compile(
    rf"\b(?:swung|swings?|turned|turns?|returned|returns?|back) (?:from [\w -]{{0,20}}{_LOSS} )?(?:in)?to (?:an? )?"
    rf"{_WORDS}(?:profit|black)\b|\bfrom an? {_WORDS}{_LOSS} to an? {_WORDS}profit\b",
    re.IGNORECASE,
)
_TURNED_BAD = re.compile(
    rf"\b(?:swung|swings?|turned|turns?|sank|sinks?|slipp?(?:ed|s)?|fell|falls) (?:in)?to (?:an? )?"
    rf"{_WORDS}(?:{_LOSS}|red)\b",
    re.IGNORECASE,
)
_BURDEN_DOWN = re.compile(rf"\b(?:{_BURDEN} {_WORDS}{_DOWN}|{_DOWN} {_WORDS}{_BURDEN})\b", re.IGNORECASE)
_BURDEN_UP = re.compile(rf"\b(?:{_BURDEN} {_WORDS}{_UP}|{_UP} {_WORDS}(?:{_BURDEN}|material prices))\b", re.IGNORECASE)
_BAD_TURN = re.compile(
    rf"\b(?:lay(?:s|ing)? off|laid off|made redundant|profit warning|files? for bankruptcy|hit with|steps? down"
    rf"|(?:{_DOWN}|los(?:e|es|ing)) (?:[\w,.-]+ ){{0,2}}?(?:jobs|staff|workers)"
    rf"|(?:personnel|job|staff) (?:cuts|reductions)|(?:million|billion|mn|bn) charge|contracted by"
    rf"|expect(?:ed|ing) an? {_WORDS}(?:higher|better)|made a loss|showed a loss)\b",
    re.IGNORECASE,
)
_AS_EXPECTED = re.compile(
    r"\b(?:in line with|unchanged|little changed|record date|falls? due|(?:fell|falls?) within"
    r"|up to (?=[\w$]{0,4}\s?\d))",
    re.IGNORECASE,
)


def rewritten(text: str) -> str:
    """`text` with its comparisons replaced by words that say how they came out; numbers in other places stay."""
    text = _COMPARED.sub(_verdict, text)
    for pattern, word in (
        (_AS_EXPECTED, " "),
        (_TURNED_GOOD, BETTER),
        (_TURNED_BAD, WORSE),
        (_BAD_TURN, WORSE),
        (_BURDEN_DOWN, BETTER),
        (_BURDEN_UP, WORSE),
    ):
        text = pattern.sub(_constantly(word), text)
    return text


def _constantly(word: str) -> Callable[[re.Match[str]], str]:
    return lambda found: word


def _verdict(found: re.Match[str]) -> str:
    """Better or worse than before; the phrase as it stands when nothing follows from its numbers."""
    subject, _, first, first_unit, _, before_second, second, second_unit = found.groups()
    is_loss = bool(re.fullmatch(_LOSS, subject, re.IGNORECASE))
    was_loss = bool(re.search(rf"\b{_LOSS}\b", before_second, re.IGNORECASE))
    was_profit = bool(re.search(r"\bprofit\b", before_second, re.IGNORECASE))
    if was_loss and not is_loss:
        return BETTER
    if was_profit and is_loss:
        return WORSE
    if (first_unit in PERCENT) != (second_unit in PERCENT):
        return found.group()
    unit = UNITS.get((first_unit or second_unit).lower(), 1.0)
    now = _number(first) * UNITS.get(first_unit.lower(), unit)
    then = _number(second) * UNITS.get(second_unit.lower(), unit)
    if now == then:
        return found.group()
    return BETTER if (now < then) == is_loss else WORSE


def _number(text: str) -> float:
    return float(text.replace(",", ""))
