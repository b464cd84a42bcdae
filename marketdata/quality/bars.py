"""Validate the bars of one source response; rejected bars are reported, never repaired. Pure."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from marketdata.adjustments import basis_ratio
from marketdata.calendars import is_session, sessions_behind
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.quality.gaps import bars_before_level_shift, isolated_bars
from marketdata.quality.price_levels import bars_off_level, dividends_as_prices, flat_lines, price_jumps_within_bar

MIN_PRICE = Decimal("0.00000001")
PRICE_LIMIT = Decimal(1_000_000_000)
MAX_VOLUME = 2**63 - 1
MAX_SOURCE_DIFFERENCE = Decimal("0.05")
PRICES = ("open", "high", "low", "close", "adjusted_close")

Violation = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RejectedBar:
    """Rejected bar with the violated rule and the reason in one sentence."""

    bar: BarRecord
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """Valid bars, oldest first, and rejected bars of one source response."""

    good: list[BarRecord]
    rejected: list[RejectedBar]


def check_bars(
    bars: Sequence[BarRecord],
    *,
    mic: str,
    last_final: date,
    actions: Sequence[CorporateActionRecord] = (),
    accepted: Collection[date] = (),
) -> CheckedBars:
    """Split the bars of one instrument into valid and rejected ones.

    bars: as received, expected oldest first. last_final: last closed session. actions: the source's splits and
    dividends. accepted: sessions whose change of level staff confirmed. A bar is rejected by the first rule it
    violates: rules on the bar alone, then on its date among the others, then on its prices among the others.
    """
    rejected: list[RejectedBar] = []
    valid = _reject(bars, [check_bar(bar, mic, last_final) for bar in bars], rejected)
    return CheckedBars(check_series(valid, actions, rejected, accepted=accepted), rejected)


def check_series(
    bars: Sequence[BarRecord],
    actions: Sequence[CorporateActionRecord],
    rejected: list[RejectedBar],
    *,
    context: Sequence[BarRecord] = (),
    accepted: Collection[date] = (),
) -> list[BarRecord]:
    """Return the bars that are valid as a series; the others are appended to `rejected`.

    bars: each valid on its own. context: stored bars of other sessions; rules see them, but never report them.
    """
    valid = _reject(bars, _duplicate_sessions(bars), rejected)
    valid = _reject(valid, _out_of_order(valid), rejected)
    checked_sessions = {bar.session for bar in valid}
    violations: list[RejectedBar] = []
    valid = sorted((*valid, *context), key=lambda bar: bar.session) if context else valid
    valid = _reject(valid, price_jumps_within_bar(valid), violations)
    valid = _reject(valid, dividends_as_prices(valid, actions), violations)
    valid = _reject(valid, bars_off_level(valid, actions, accepted), violations)
    valid = _reject(valid, isolated_bars(valid), violations)
    valid = _reject(valid, bars_before_level_shift(valid, actions, accepted), violations)
    valid = _reject(valid, flat_lines(valid), violations)
    rejected += [one for one in violations if one.bar.session in checked_sessions]
    return [bar for bar in valid if bar.session in checked_sessions]


def reject_disagreeing(checked: CheckedBars, stored: Mapping[date, Decimal]) -> CheckedBars:
    """Reject bars whose close differs from another source's stored close by more than 5%.

    It is unknown which source is right, so neither bar is trusted. Closes are compared after division by the median
    ratio of the two series, because their price bases may differ.
    """
    ratio = basis_ratio(stored, {bar.session: bar.close for bar in checked.good})
    if ratio is None:
        return checked
    rejected = list(checked.rejected)
    violations = [_disagreement(bar, stored.get(bar.session), ratio) for bar in checked.good]
    return CheckedBars(_reject(checked.good, violations, rejected), rejected)


def _disagreement(bar: BarRecord, stored: Decimal | None, ratio: Decimal) -> Violation | None:
    if stored is None or abs(bar.close / stored / ratio - 1) <= MAX_SOURCE_DIFFERENCE:
        return None
    return "sources_disagree", f"The close of {bar.session} is {bar.close}; another source has {stored * ratio:.6g}."


def _reject(
    bars: Sequence[BarRecord], violations: Sequence[Violation | None], rejected: list[RejectedBar]
) -> list[BarRecord]:
    """Return the bars without a violation; the others are appended to `rejected`."""
    valid = []
    for bar, violation in zip(bars, violations, strict=True):
        if violation is None:
            valid.append(bar)
        else:
            rejected.append(RejectedBar(bar, *violation))
    return valid


def check_bar(bar: BarRecord, mic: str | None, last_final: date) -> Violation | None:
    """Return the violation of a single bar, if any; without an exchange every day is a session."""
    return next((violation for rule in _SINGLE_BAR_RULES for violation in rule(bar)), None) or _date_violation(
        bar.session, mic, last_final
    )


def _missing_value(bar: BarRecord) -> Iterator[Violation]:
    for name in PRICES:
        if not getattr(bar, name).is_finite():
            yield "missing_value", f"{_label(name)} is not a number."
    if bar.volume is None:
        yield "missing_value", "The volume is missing."


def _price_out_of_bounds(bar: BarRecord) -> Iterator[Violation]:
    for name in PRICES:
        price = getattr(bar, name)
        if price < MIN_PRICE:
            yield "price_not_positive", f"{_label(name)} is {price}, which is not a valid price."
        if price >= PRICE_LIMIT:
            yield "price_too_large", f"{_label(name)} is {price}, which is too large for a stock."


def _high_below_low(bar: BarRecord) -> Iterator[Violation]:
    if bar.high < bar.low:
        yield "high_below_low", f"The high, {bar.high}, is below the low, {bar.low}."


def _outside_range(bar: BarRecord) -> Iterator[Violation]:
    for name in ("open", "close"):
        price = getattr(bar, name)
        if not bar.low <= price <= bar.high:
            yield f"{name}_outside_range", f"{_label(name)}, {price}, is outside {bar.low} to {bar.high}."


def _bad_volume(bar: BarRecord) -> Iterator[Violation]:
    if bar.volume is not None and bar.volume < 0:
        yield "negative_volume", f"The volume is {bar.volume}."
    if bar.volume is not None and bar.volume > MAX_VOLUME:
        yield "volume_too_large", "The volume exceeds the largest storable value."


_SINGLE_BAR_RULES = (_missing_value, _price_out_of_bounds, _high_below_low, _outside_range, _bad_volume)


def _date_violation(session: date, mic: str | None, last_final: date) -> Violation | None:
    if session > last_final:
        if mic is not None and sessions_behind(mic, last_final, session) == 1 and is_session(mic, session):
            return "partial_bar", f"The session of {session} has not closed yet."
        return "future_session", f"{session} is after {last_final}, the last closed session."
    if mic is not None and not is_session(mic, session):
        return "not_a_session", f"{session} is not a session of {mic}."
    return None


def _duplicate_sessions(bars: Sequence[BarRecord]) -> list[Violation | None]:
    """Reject repetitions of a bar, and every bar of a session with conflicting bars."""
    versions: dict[date, set[BarRecord]] = {}
    for bar in bars:
        versions.setdefault(bar.session, set()).add(bar)
    seen: set[date] = set()
    violations: list[Violation | None] = []
    for bar in bars:
        if len(versions[bar.session]) > 1:
            violations.append(("duplicate_session", f"The source has several different bars for {bar.session}."))
        elif bar.session in seen:
            violations.append(("duplicate_session", f"The source has {bar.session} more than once."))
        else:
            violations.append(None)
        seen.add(bar.session)
    return violations


def _out_of_order(bars: Sequence[BarRecord]) -> list[Violation | None]:
    """Reject bars outside the longest ascending subsequence of dates."""
    ends: list[date] = []
    end_indices: list[int] = []
    predecessors: list[int | None] = []
    for index, bar in enumerate(bars):
        length = bisect_left(ends, bar.session)
        predecessors.append(end_indices[length - 1] if length else None)
        ends[length:] = [bar.session, *ends[length + 1 :]]
        end_indices[length:] = [index, *end_indices[length + 1 :]]
    in_order: set[int] = set()
    current = end_indices[-1] if end_indices else None
    while current is not None:
        in_order.add(current)
        current = predecessors[current]
    return [
        None if index in in_order else ("out_of_order", f"{bar.session} is out of date order.")
        for index, bar in enumerate(bars)
    ]


def _label(name: str) -> str:
    return f"The {name.replace('_', ' ')}"
