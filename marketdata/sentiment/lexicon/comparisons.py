"""Replace phrases whose meaning no single word carries: shrinking losses are good, 5.6 against 3.9 is a rise.

Each recognised phrase becomes a word of the lists, `marketbetter` or `marketworse`. Numbers are normalised first:
`EUR6 .7 m` is 6.7 million, and years, dates and durations are not amounts.
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
    "bln": 1e9,
    "billion": 1e9,
}
# A number of this size without a unit has its zeros written out.
WRITTEN_OUT = 10_000
PERCENT = ("%", "percent", "per cent", "pct")

_LOSS = r"(?:loss|losses|deficit)"
_BURDEN = (
    r"(?:loss(?:es)?|deficits?|costs?|expenses|expenditures?|debts?|unemployment|impairments?|write-?downs?|charges)"
)
_GAIN = (
    r"(?:profits?|return on \w+|earnings|eps|ebit(?:da)?|result|sales|revenues?|turnover|income|cash flow"
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
# Up to three words of the same clause.
_WORDS = r"(?:(?!(?:and|as|but|while|after|despite)\b)[\w'&-]+ ){0,3}?"
_PERCENT = r"(?:%|per ?cent\b|pct\b)"
_NUMBER = rf"(\d[\d,]*(?:\.\d+)?)\s?({_PERCENT}|(?:k|thousand|mn|mln|million|m|bn|bln|billion|b)?\b(?!\s?{_PERCENT}))"
_AGAINST = r"(?:compared (?:to|with)|as against|against|versus|vs\.?|from|while (?:it|they)\b)"
_GAP = r"[^.;\d]{0,60}?"

_COMPARED = re.compile(rf"\b({_GAIN}|{_LOSS})\b([^;\d]{{0,80}}?){_NUMBER}([^;\d]{{0,60}}?){_AGAINST}({_GAP}){_NUMBER}")
_TURNED_GOOD = re.compile(
    rf"\b(?:swung|swings?|turned|turns?|returned|returns?|back) (?:from [\w -]{{0,20}}{_LOSS} )?(?:in)?to (?:an? )?"
    rf"{_WORDS}(?:profit|black)\b|\bfrom an? {_WORDS}{_LOSS} to an? {_WORDS}profit\b",
)
_TURNED_BAD = re.compile(
    rf"\b(?:swung|swings?|turned|turns?|sank|sinks?|slipp?(?:ed|s)?|fell|falls) (?:in)?to (?:an? )?"
    rf"{_WORDS}(?:{_LOSS}|red)\b",
)
_BURDEN_DOWN = re.compile(rf"\b(?:{_BURDEN} {_WORDS}{_DOWN}|{_DOWN} {_WORDS}{_BURDEN})\b")
_BURDEN_UP = re.compile(rf"\b(?:{_BURDEN} {_WORDS}{_UP}|{_UP} {_WORDS}(?:{_BURDEN}|material prices))\b")
_BAD_TURN = re.compile(
    rf"\b(?:lay(?:s|ing)? off|laid off|made redundant|profit warning|files? for bankruptcy|hit with|steps? down"
    rf"|(?:{_DOWN}|los(?:e|es|ing)) (?:[\w,.-]+ ){{0,2}}?(?:jobs|staff|workers)"
    rf"|(?:personnel|job|staff) (?:cuts|reductions)|(?:million|billion|mn|bn) charge|contracted by"
    rf"|expect(?:ed|ing) an? {_WORDS}(?:higher|better)|made a loss|showed a loss"
    rf"|cloud(?:s|ed|ing)? (?:the|its|their) {_WORDS}(?:outlook|prospects|future))\b",
)
_WORSE_THAN = re.compile(rf"\b{_GAIN} (?:[\w-]+ ){{1,12}}?(?:less|smaller|weaker) than (?:in|that|last|the)\b")
_LOST = re.compile(
    rf"\b(?:lost|loses|shed|sheds) (?:ground|money|market share"
    rf"|(?:[a-z]+ ){{0,2}}?(?:\d[\d.,]*\s?{_PERCENT}|(?:eur|usd|us\$|[$€£])\s?\d))",
)
_SAVINGS = re.compile(
    r"\b(?:(?:annual|yearly|cost) savings|more (?:cost[- ])?(?:efficient|effective|efficiently|competitive))\b",
)
# Concessions that do not change the outcome: sales rose *despite weak demand*.
_CONCEDED = re.compile(r"\b(?:despite|in spite of|notwithstanding)\b(?:[^.,;:!?\n]|[.,](?=\d)){1,120}")
_NEUTRAL_PHRASES = re.compile(
    r"\b(?:in line with|unchanged|little changed|record date|falls? due|(?:fell|falls?) within"
    r"|(?<!gone )(?<!went )(?<!going )(?<!goes )up to (?=[\w$]{0,4}\s?\d)"
    r"|(?:set|sets|setting|ma[dk]e|makes|making|sign(?:s|ed|ing)?|team(?:s|ed|ing)?|follow(?:s|ed|ing)?) up"
    r"|(?:open|start)(?:s|ed|ing)? up(?! \d)"
    r"|declin(?:ed|es?|ing) (?:to )?(?:comment|say|disclose|give|name|elaborate|confirm|reveal|provide|discuss|specify)"
    r"|weigh(?:s|ed|ing)? (?:about |some |only |just )?(?=\d)|subject to (?:[\w',-]+ ){0,8}?approvals?"
    r"|increas(?:e|es|ed|ing) (?:in |of |its |the ){0,2}(?:share )?capital|capital increases?)\b",
)

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_BEFORE_A_YEAR = (
    r"(?:in|for|of|during|since|until|than|to|with|from|against|year|early|late|mid|fiscal|fy|h[12]|q[1-4]|end"
    rf"|{_MONTH}\.?|{_MONTH} ?,)"
)
_UNIT_FOLLOWS = r"(?=\s?(?:%|p(?:er ?)?c(?:en)?t|k\b|m\b|mn|mln|mil|b\b|bn|bil|eur|usd|sek|dollar|share|unit)|[\d.,]\d)"
_SPLIT_NUMBER = re.compile(r"(?<=\d) (?=[.,]\d)")
_DAY = re.compile(rf"\b(?:{_MONTH}\.? \d{{1,2}}\b(?!\.\d)|\d{{1,2}}\.? {_MONTH}\b)")
_YEAR = re.compile(rf"\b({_BEFORE_A_YEAR}) (?:19|20)\d\d\b(?!{_UNIT_FOLLOWS})")
_DURATION = re.compile(r"\b\d+-(?=(?:month|week|day|year|quarter|hour)\b)")
_CONVERTED = re.compile(
    r"\( ?(?:us ?\$|[$€£]|eur|usd|gbp|sek|nok|dkk) ?\d[\d.,]* ?(?:k|mn|mln|million|m|bn|bln|billion|b)?\.? ?\)"
)


def replace_phrases(text: str) -> str:
    """Lower-case the text and replace comparisons by words for their outcome."""
    text = _COMPARED.sub(_compare, _CONCEDED.sub(" ", normalise_numbers(text.lower())))
    for pattern, word in (
        (_NEUTRAL_PHRASES, " "),
        (_TURNED_GOOD, BETTER),
        (_TURNED_BAD, WORSE),
        (_BAD_TURN, WORSE),
        (_LOST, WORSE),
        (_WORSE_THAN, WORSE),
        (_BURDEN_DOWN, BETTER),
        (_BURDEN_UP, WORSE),
        (_SAVINGS, BETTER),
    ):
        text = pattern.sub(_always(word), text)
    return text


def normalise_numbers(text: str) -> str:
    """Join split numbers and remove years, dates and durations from lower-case text."""
    if not any(map(str.isdigit, text)):
        return text
    text = _SPLIT_NUMBER.sub("", text)
    text = _CONVERTED.sub(" ", text)
    text = _DURATION.sub("", text)
    text = _DAY.sub("that day", text)
    return _YEAR.sub(r"\1 that year", text)


def _always(word: str) -> Callable[[re.Match[str]], str]:
    return lambda found: word


def _compare(found: re.Match[str]) -> str:
    """Return the word for better or worse; the unchanged phrase if its numbers are not comparable."""
    subject, before_first, first, first_unit, _, before_second, second, second_unit = found.groups()
    is_loss = bool(re.fullmatch(_LOSS, subject))
    was_loss = bool(re.search(rf"\b{_LOSS}\b", before_second))
    was_profit = bool(re.search(r"\bprofit\b", before_second))
    if was_loss and not is_loss:
        return BETTER
    if was_profit and is_loss:
        return WORSE
    starts_from = bool(re.search(r"\bfrom (?:[a-z]{3} ?|us\$ ?|[$€£] ?)?$", before_first))
    if starts_from or (first_unit in PERCENT) != (second_unit in PERCENT):
        return found.group()
    now, then = _amount(first, first_unit, second_unit), _amount(second, second_unit, first_unit)
    if now == then:
        return found.group()
    return BETTER if (now < then) == is_loss else WORSE


def _amount(number: str, unit: str, unit_of_other: str) -> float:
    """Convert a number; without a unit it has the other's, unless its zeros are written out: 2.1 m against 995,000."""
    amount = float(number.replace(",", ""))
    return amount * UNITS.get(unit if unit or amount >= WRITTEN_OUT else unit_of_other, 1.0)
