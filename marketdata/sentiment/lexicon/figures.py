"""Figures as reports write them: `EUR6 .7 m` is 6.7 million, and a year, a date or a duration is nothing to compare."""

import re

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


def normalise_numbers(text: str) -> str:
    """`text`, in small letters, with its numbers in one piece, and without those that are no amounts."""
    if not any(map(str.isdigit, text)):
        return text
    text = _SPLIT_NUMBER.sub("", text)
    text = _CONVERTED.sub(" ", text)
    text = _DURATION.sub("", text)
    text = _DAY.sub("that day", text)
    return _YEAR.sub(r"\1 that year", text)
