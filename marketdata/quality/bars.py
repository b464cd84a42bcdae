"""Is this bar believable? Rules over one answer of a source; what they refuse is kept apart, never repaired. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from marketdata.adjustments import basis_ratio
from marketdata.calendars import is_session, sessions_behind
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.quality.gaps import bars_before_level_shift, isolated_bars
from marketdata.quality.price_levels import bars_off_level, dividends_as_prices, flat_lines, price_jumps_within_bar

SMALLEST_PRICE = Decimal("0.000001")
LARGEST_PRICE = Decimal(1_000_000_000)
LARGEST_VOLUME = 2**63 - 1
DISAGREEMENT = Decimal("0.05")
PRICES = ("open", "high", "low", "close", "adjusted_close")

Complaint = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RejectedBar:
    """A bar that is not believed, the rule that says so, and why in one sentence."""

    bar: BarRecord
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """One answer of a source, sorted: believable bars oldest first, and the others."""

    good: list[BarRecord]
    refused: list[RejectedBar]


def check_bars(
    bars: Sequence[BarRecord], *, mic: str, last_final: date, actions: Sequence[CorporateActionRecord] = ()
) -> CheckedBars:
    """Sort the bars of one instrument into believable and refused ones.

    bars: as a source gave them, which should be oldest first. last_final: the last session that has closed. actions:
    the splits and dividends that the source tells. A bar is refused by the first rule that it breaks: rules about the
    bar alone, then about its date among the others, then about its prices among the others.
    """
    refused: list[RejectedBar] = []
    kept = _sorted_out(bars, [check_bar(bar, mic, last_final) for bar in bars], refused)
    return CheckedBars(check_series(kept, actions, refused), refused)


def check_series(
    bars: Sequence[BarRecord],
    actions: Sequence[CorporateActionRecord],
    refused: list[RejectedBar],
    *,
    beside: Sequence[BarRecord] = (),
) -> list[BarRecord]:
    """The bars, each good by itself, that can be believed beside the others; the rest is added to `refused`.

    beside: bars of other sessions that are believed already. They are witnesses: what is said of them is not told.
    """
    kept = _sorted_out(bars, _among_duplicates(bars), refused)
    kept = _sorted_out(kept, _among_dates(kept), refused)
    judged = {bar.session for bar in kept}
    told: list[RejectedBar] = []
    kept = sorted((*kept, *beside), key=lambda bar: bar.session) if beside else kept
    kept = _sorted_out(kept, price_jumps_within_bar(kept), told)
    kept = _sorted_out(kept, dividends_as_prices(kept, actions), told)
    kept = _sorted_out(kept, bars_off_level(kept, actions), told)
    kept = _sorted_out(kept, isolated_bars(kept), told)
    kept = _sorted_out(kept, bars_before_level_shift(kept, actions), told)
    kept = _sorted_out(kept, flat_lines(kept), told)
    refused += [one for one in told if one.bar.session in judged]
    return [bar for bar in kept if bar.session in judged]


def reject_disagreeing(judged: CheckedBars, stored: Mapping[date, Decimal]) -> CheckedBars:
    """The same without the bars whose close differs from what another source says by more than the threshold.

    Nobody knows which of the two is right, so neither is believed. The sources may stand on different bases: closes are
    compared after the usual ratio of one to the other.
    """
    ratio = basis_ratio(stored, {bar.session: bar.close for bar in judged.good})
    if ratio is None:
        return judged
    refused = list(judged.refused)
    complaints = [_disagreement(bar, stored.get(bar.session), ratio) for bar in judged.good]
    return CheckedBars(_sorted_out(judged.good, complaints, refused), refused)


def _disagreement(bar: BarRecord, stored: Decimal | None, ratio: Decimal) -> Complaint | None:
    if stored is None or abs(bar.close / stored / ratio - 1) <= DISAGREEMENT:
        return None
    return "sources_disagree", f"The close of {bar.session} is {bar.close}, another source's {stored * ratio:.6g}."


def _sorted_out(
    bars: Sequence[BarRecord], complaints: Sequence[Complaint | None], refused: list[RejectedBar]
) -> list[BarRecord]:
    """The bars without a complaint; the others are added to `refused`."""
    kept = []
    for bar, complaint in zip(bars, complaints, strict=True):
        if complaint is None:
            kept.append(bar)
        else:
            refused.append(RejectedBar(bar, *complaint))
    return kept


def check_bar(bar: BarRecord, mic: str | None, last_final: date) -> Complaint | None:
    """What is wrong with this bar whatever the others say; without an exchange every day is a session."""
    return next((complaint for rule in _RULES_ALONE for complaint in rule(bar)), None) or _day_complaint(
        bar.session, mic, last_final
    )


def _missing_value(bar: BarRecord) -> Iterator[Complaint]:
    for name in PRICES:
        if not getattr(bar, name).is_finite():
            yield "missing_value", f"{_words(name)} is not a number."
    if bar.volume is None:
        yield "missing_value", "The volume is missing."


def _price_out_of_bounds(bar: BarRecord) -> Iterator[Complaint]:
    for name in PRICES:
        price = getattr(bar, name)
        if price < SMALLEST_PRICE:
            yield "price_not_positive", f"{_words(name)} is {price}, which is no price."
        if price >= LARGEST_PRICE:
            yield "price_too_large", f"{_words(name)} is {price}, which is no price of a stock."


def _high_below_low(bar: BarRecord) -> Iterator[Complaint]:
    if bar.high < bar.low:
        yield "high_below_low", f"The high, {bar.high}, is below the low, {bar.low}."


def _outside_range(bar: BarRecord) -> Iterator[Complaint]:
    for name in ("open", "close"):
        price = getattr(bar, name)
        if not bar.low <= price <= bar.high:
            yield f"{name}_outside_range", f"{_words(name)}, {price}, is outside {bar.low} to {bar.high}."


def _bad_volume(bar: BarRecord) -> Iterator[Complaint]:
    if bar.volume is not None and bar.volume < 0:
        yield "negative_volume", f"The volume is {bar.volume}."
    if bar.volume is not None and bar.volume > LARGEST_VOLUME:
        yield "volume_too_large", "The volume is more than can be stored."


_RULES_ALONE = (_missing_value, _price_out_of_bounds, _high_below_low, _outside_range, _bad_volume)


def _day_complaint(session: date, mic: str | None, last_final: date) -> Complaint | None:
    if session > last_final:
        if mic is not None and sessions_behind(mic, last_final, session) == 1 and is_session(mic, session):
            return "partial_bar", f"The session of {session} has not closed yet."
        return "future_session", f"{session} lies after {last_final}, the last session that has closed."
    if mic is not None and not is_session(mic, session):
        return "not_a_session", f"{session} is not a session of {mic}."
    return None


def _among_duplicates(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """The same bar twice counts once; two bars that disagree about a session are both refused."""
    versions: dict[date, set[BarRecord]] = {}
    for bar in bars:
        versions.setdefault(bar.session, set()).add(bar)
    seen: set[date] = set()
    complaints: list[Complaint | None] = []
    for bar in bars:
        if len(versions[bar.session]) > 1:
            complaints.append(("duplicate_session", f"The source gives several different bars for {bar.session}."))
        elif bar.session in seen:
            complaints.append(("duplicate_session", f"The source gives {bar.session} more than once."))
        else:
            complaints.append(None)
        seen.add(bar.session)
    return complaints


def _among_dates(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """Bars outside the longest run of ascending dates stand in the wrong place."""
    ends: list[date] = []
    end_places: list[int] = []
    before: list[int | None] = []
    for place, bar in enumerate(bars):
        length = bisect_left(ends, bar.session)
        before.append(end_places[length - 1] if length else None)
        ends[length:] = [bar.session, *ends[length + 1 :]]
        end_places[length:] = [place, *end_places[length + 1 :]]
    in_order: set[int] = set()
    at = end_places[-1] if end_places else None
    while at is not None:
        in_order.add(at)
        at = before[at]
    return [
        None if place in in_order else ("out_of_order", f"{bar.session} stands out of the order of dates.")
        for place, bar in enumerate(bars)
    ]


def _words(name: str) -> str:
    return f"The {name.replace('_', ' ')}"
