"""Verifying the ledger: all of it is computed again from what is stored, and the first thing that is wrong is named."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import structlog
from django.db import connection
from django.db.models import Model

from predictions.errors import LedgerBroken
from predictions.models import Forecast, ForecastInput, LedgerCheck, LedgerHead, Outcome
from predictions.sealing import COLUMNS, GENESIS, link, outcome_text
from predictions.selectors.ledger import SealedRow, input_blocks, outcome_key, outcome_rows, sealed_rows
from predictions.services.ledger import head_hash_of, sha256_of, unpacked

log = structlog.get_logger(__name__)

ALTERED = "what it says is not what was sealed"
MOVED = "the row before it is missing or was put elsewhere"
OTHER_NUMBERS = "the numbers it was computed from are not those that were sealed"
OTHER_BLOCK = "the numbers it was computed from are said to be of another stock or session"
FLOAT_BYTES = 8
KEPT = "The head that was kept"
NAMES: Mapping[str, type[Model]] = {"Forecast": Forecast, "Input block": ForecastInput, "Outcome": Outcome}
# A block belongs to its stock and session; its numbers are sealed by their hash.
MISPLACED_INPUT = """
SELECT f.id FROM predictions_forecast f JOIN predictions_forecastinput i ON i.id = f.inputs_id
WHERE i.instrument_id <> f.instrument_id OR i.origin <> f.origin
ORDER BY f.id LIMIT 1
"""
# An outcome follows from the forecast and the actual price; what does not is held by the heads.
CONTRADICTING_OUTCOME = """
SELECT o.id, o.forecast_id FROM predictions_outcome o LEFT JOIN predictions_forecast f ON f.id = o.forecast_id
WHERE f.id IS NULL
   OR o.error IS DISTINCT FROM f.predicted_price - o.actual_price
   OR o.went_up <> (o.actual_price > f.last_price)
   OR o.direction_right IS DISTINCT FROM ((f.probability_up > 0.5) = o.went_up)
   OR o.inside_80 IS DISTINCT FROM (o.actual_price BETWEEN f.lower_80 AND f.upper_80)
   OR o.inside_95 IS DISTINCT FROM (o.actual_price BETWEEN f.lower_95 AND f.upper_95)
   OR o.inside_99 IS DISTINCT FROM (o.actual_price BETWEEN f.lower_99 AND f.upper_99)
ORDER BY o.id LIMIT 1
"""

_ID, _SYMBOL, _ORIGIN, _HORIZON = (COLUMNS.index(name) for name in ("id", "symbol", "origin", "horizon_sessions"))

Texts = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A head that somebody has kept outside the database: how many rows there were, and the newest one's hash.

    With the day and the hash of the newest day's head then: it seals the outcomes that were known and all heads before.
    """

    count: int
    head_hash: str
    day: str | None = None
    day_entry_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was read and holds, and where the chain ends."""

    forecasts: int
    heads: int
    inputs: int
    head_hash: str


def verify_ledger(*, kept: KeptHead | None = None) -> Verified:
    """Read the whole ledger once, in order and in little memory, and compute it again.

    The chain first, beside the heads and the one that was `kept`, then input blocks, then outcomes. Raises
    LedgerBroken with the first thing that does not hold.
    """
    # Heads are read before rows, so that each of them finds its rows however many are added meanwhile.
    heads = list(LedgerHead.objects.order_by("pk"))
    _verify_heads(heads)
    expected = [_Mark(f"Head of {head.day}", head.count, head.head_hash, head.last_forecast_id) for head in heads]
    if kept is not None:
        expected.append(_Mark(KEPT, kept.count, kept.head_hash, None))
        _verify_kept_day(kept, heads)
    _verify_keys()
    forecasts, head_hash = _verify_chain(sorted(expected, key=lambda mark: mark.count))
    inputs = _verify_inputs()
    _verify_outcomes(heads)
    return Verified(forecasts, len(heads), inputs, head_hash)


def check_ledger(*, clock: Callable[[], datetime], kept: KeptHead | None = None) -> Verified:
    """Verify and note what came of it, where operators and /health/ready find it. Raises LedgerBroken."""
    checked_at, began = clock(), time.perf_counter()

    def note(forecasts: int, fault: str) -> None:
        seconds = round(time.perf_counter() - began, 3)
        LedgerCheck.objects.create(checked_at=checked_at, seconds=seconds, forecasts=forecasts, fault=fault)

    try:
        verified = verify_ledger(kept=kept)
    except LedgerBroken as error:
        note(error.verified, str(error))
        log.error("ledger_broken", subject=error.subject, reason=error.reason, forecast=error.forecast_id)
        raise
    note(verified.forecasts, "")
    log.info("ledger_verified", forecasts=verified.forecasts, heads=verified.heads, head=verified.head_hash)
    return verified


@dataclass(frozen=True, slots=True)
class _Mark:
    """What must be true of the chain after `count` rows."""

    name: str
    count: int
    head_hash: str
    last_forecast: int | None


def _verify_heads(heads: Sequence[LedgerHead]) -> None:
    """The heads are a chain of their own: days and counts rise, and each was taken on the day it names."""
    previous: LedgerHead | None = None
    for head in heads:
        name = f"Head of {head.day}"
        if head.previous_hash != (GENESIS if previous is None else previous.entry_hash):
            raise LedgerBroken(name, "the head before it is missing or was put elsewhere")
        if head_hash_of(head) != head.entry_hash or head.recorded_at.astimezone(UTC).date() != head.day:
            raise LedgerBroken(name, ALTERED)
        if previous is not None and (
            head.day <= previous.day or head.count < previous.count or head.outcomes < previous.outcomes
        ):
            raise LedgerBroken(name, f"it comes after that of {previous.day} and must not say less")
        previous = head


def _verify_kept_day(kept: KeptHead, heads: Sequence[LedgerHead]) -> None:
    """Heads that were forged as a whole, with the outcomes they know, still meet the one that others have kept."""
    stored = {head.day.isoformat(): head.entry_hash for head in heads}
    if kept.day_entry_hash is None or stored.get(str(kept.day)) == kept.day_entry_hash:
        return
    raise LedgerBroken(KEPT, f"the head of {str(kept.day)[:10]} that it names is not the one that is stored")


def _verify_keys() -> None:
    """Keys rise from 1; what stands below them would be told and never be read by whoever begins there."""
    for name, model in NAMES.items():
        first = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
        if first is not None and first < 1:
            raise LedgerBroken(f"{name} {first}", "its key stands before the first one that was given")


def _verify_chain(marks: Sequence[_Mark]) -> tuple[int, str]:
    """Compute every row again; at each mark the chain must be as it says. Returns the rows and the last one's hash."""
    waiting: Iterator[_Mark] = iter(marks)
    mark = next(waiting, None)
    previous, count = GENESIS, 0
    for row in sealed_rows():
        if row.previous_hash != previous:
            raise _fault(row, MOVED, count)
        if link(previous, row.said) != row.entry_hash:
            raise _fault(row, ALTERED, count)
        previous = row.entry_hash
        count += 1
        while mark is not None and mark.count == count:
            _compare(mark, row, count)
            mark = next(waiting, None)
    if mark is not None:
        reason = f"it counts {mark.count} forecasts, and only {count} are stored: the newest ones are missing"
        raise LedgerBroken(mark.name, reason, forecast_id=mark.last_forecast, verified=count)
    return count, previous


def _compare(mark: _Mark, row: SealedRow, count: int) -> None:
    """A head that was recomputed with a false chain still meets the heads that others have kept."""
    if mark.head_hash != row.entry_hash:
        raise LedgerBroken(mark.name, f"after {count} forecasts the chain has another hash", verified=count)
    if mark.last_forecast not in (None, row.key):
        raise LedgerBroken(mark.name, f"its last forecast is not number {count}", verified=count)


def _fault(row: SealedRow, reason: str, count: int) -> LedgerBroken:
    return LedgerBroken(_name_of(row.texts), reason, forecast_id=row.key, verified=count)


def _name_of(texts: Texts) -> str:
    return f"Forecast {texts[_ID]} ({texts[_SYMBOL]}, from {texts[_ORIGIN]}, {texts[_HORIZON]} sessions ahead)"


def _verify_inputs() -> int:
    """Check every input block against the hash that the chain covers, its shape and its place; returns how many."""
    count = 0
    for key, sha256, numbers, block in input_blocks():
        raw = unpacked(block)
        if raw is None or sha256_of(raw) != sha256 or len(raw) != numbers * FLOAT_BYTES:
            raise _broken_input(key)
        count += 1
    with connection.cursor() as cursor:
        cursor.execute(MISPLACED_INPUT)
        found = cursor.fetchone()
    if found is not None:
        raise LedgerBroken(_name_of_forecast(found[0]), OTHER_BLOCK, forecast_id=found[0])
    return count


def _broken_input(key: int) -> LedgerBroken:
    user = Forecast.objects.filter(inputs=key).order_by("pk").values_list("pk", flat=True).first()
    if user is None:
        return LedgerBroken(f"Input block {key}", "its numbers are not those of its hash")
    return LedgerBroken(_name_of_forecast(user), OTHER_NUMBERS, forecast_id=user)


def _name_of_forecast(key: int) -> str:
    return _name_of(next(sealed_rows(after=key - 1, through=key)).texts)


def _verify_outcomes(heads: Sequence[LedgerHead]) -> None:
    """Each outcome follows from its forecast and the actual price, and is the one that the heads have known."""
    with connection.cursor() as cursor:
        cursor.execute(CONTRADICTING_OUTCOME)
        found = cursor.fetchone()
    if found is not None:
        outcome, forecast = found
        reason = f"it does not follow from forecast {forecast} and the actual price"
        raise LedgerBroken(f"Outcome {outcome}", reason, forecast_id=forecast)
    count, last, running, known = 0, 0, GENESIS, outcome_rows()
    for head in heads:
        for texts in islice(known, head.outcomes - count):
            running, last = link(running, outcome_text(texts)), outcome_key(texts)
            count += 1
        if (count, last, running) != (head.outcomes, head.last_outcome, head.outcomes_hash):
            reason = f"the {head.outcomes} outcomes it knew are not the first ones that are stored"
            raise LedgerBroken(f"Head of {head.day}", reason)
