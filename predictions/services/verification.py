"""Verification of the ledger: every hash is recomputed from stored payloads, and columns are compared with payloads."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import Model

from mlops.scorecard import counted
from predictions.errors import LedgerBroken
from predictions.ledger_payload import GENESIS, SCHEMA, LedgerMapping, chain_hash
from predictions.models import Forecast, ForecastInput, LedgerCheck, LedgerHead, Outcome
from predictions.models.ledger_mappings import FORECAST_MAPPING, HEAD_MAPPING, OUTCOME_MAPPING
from predictions.selectors.ledger import LedgerRow, compared_chain_batches, input_block_batches, outcome_rows
from predictions.services.input_blocks import checked_numbers
from predictions.services.ledger_signatures import verify_signatures
from predictions.services.record_verification import verify_prices, verify_protection, verify_sums
from predictions.services.verification_times import first_time_fault

log = structlog.get_logger(__name__)

ALTERED_PAYLOAD = "its payload does not match its hash"
UNKNOWN_SCHEMA = f"its payload is not canonical JSON of a schema from 1 to {SCHEMA}"
BROKEN_LINK = "its previous hash is not the hash of the row before: rows are missing or out of order"
BROKEN_HEAD_LINK = "its previous hash is not the hash of the head before: heads are missing or out of order"
ALTERED_INPUT = "its input block does not match the hash in its payload"
MISPLACED_INPUT = "its input block belongs to another stock or session"
DANGLING = "it refers to a model, an input block or a toolchain that is not stored"
FLOAT_BYTES = 8
BLOCK_THREADS = 2
SAVED_HEAD = "The saved head"
NAMES: Mapping[str, type[Model]] = {"Forecast": Forecast, "Input block": ForecastInput, "Outcome": Outcome}
# The hash of a block covers its numbers only.
MISPLACED_INPUT_SQL = """
SELECT f.id FROM predictions_forecast f JOIN predictions_forecastinput i ON i.id = f.inputs_id
WHERE i.instrument_id <> f.instrument_id OR i.origin <> f.origin
ORDER BY f.id LIMIT 1
"""
# These columns follow from the forecast and the actual price; the heads cover the others.
CONTRADICTING_OUTCOME_SQL = """
SELECT o.id, o.forecast_id FROM predictions_outcome o
LEFT JOIN predictions_forecast f ON f.id = o.forecast_id AND f.origin = o.origin
WHERE f.id IS NULL
   OR o.error IS DISTINCT FROM f.predicted_price - o.actual_price
   OR o.went_up <> (o.actual_price > f.last_price)
   OR o.direction_right IS DISTINCT FROM ((f.probability_up > 0.5) = o.went_up)
   OR o.inside_80 IS DISTINCT FROM (o.actual_price BETWEEN f.lower_80 AND f.upper_80)
   OR o.inside_95 IS DISTINCT FROM (o.actual_price BETWEEN f.lower_95 AND f.upper_95)
   OR o.inside_99 IS DISTINCT FROM (o.actual_price BETWEEN f.lower_99 AND f.upper_99)
ORDER BY o.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class SavedHead:
    """A head saved outside the database: the number of forecasts and the hash of the newest one.

    With the day and hash of the newest daily head at that time, which covers the outcomes and all heads before.
    """

    count: int
    head_hash: str
    day: str | None = None
    day_entry_hash: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedLedger:
    """Counts of what was verified, and the hash of the newest forecast."""

    forecasts: int
    heads: int
    inputs: int
    head_hash: str


def verify_ledger(*, saved: SavedHead | None = None) -> VerifiedLedger:
    """Read the whole ledger once, in order and in little memory, and recompute it.

    The chain first, with the heads and the saved one, then input blocks, then outcomes and their prices, then the
    triggers. Raises LedgerBroken for the first fault.
    """
    # Heads are read before forecasts, so that each head finds its forecasts whatever is added meanwhile.
    heads = list(LedgerHead.objects.order_by("pk"))
    _verify_heads(heads)
    verify_signatures(heads)
    expected = [_Expected(f"Head of {head.day}", head.count, head.head_hash, head.last_forecast_id) for head in heads]
    if saved is not None:
        expected.append(_Expected(SAVED_HEAD, saved.count, saved.head_hash, None))
        _verify_saved_day(saved, heads)
    _verify_first_ids()
    with ThreadPoolExecutor(BLOCK_THREADS) as pool:
        blocks = _BlockChecks(pool)
        forecasts, head_hash = _verify_chain(sorted(expected, key=lambda each: each.count), blocks)
        inputs = _verify_inputs(blocks)
    _verify_times()
    _verify_outcomes(heads)
    verify_prices()
    verify_protection()
    return VerifiedLedger(forecasts, len(heads), inputs, head_hash)


def check_ledger(*, clock: Callable[[], datetime], saved: SavedHead | None = None) -> VerifiedLedger:
    """Verify the ledger and the sums of the record; store the result for /health/ready. Raises LedgerBroken."""
    checked_at, began = clock(), time.perf_counter()

    def store_result(forecasts: int, fault: str) -> None:
        seconds = round(time.perf_counter() - began, 3)
        LedgerCheck.objects.create(checked_at=checked_at, seconds=seconds, forecasts=forecasts, fault=fault)

    try:
        verified = verify_ledger(saved=saved)
        verify_sums(now=checked_at, forecasts=verified.forecasts)
    except LedgerBroken as error:
        store_result(error.verified, str(error))
        log.error("ledger_broken", subject=error.subject, reason=error.reason, forecast=error.forecast_id)
        raise
    store_result(verified.forecasts, "")
    log.info("ledger_verified", forecasts=verified.forecasts, heads=verified.heads, head=verified.head_hash)
    return verified


@dataclass(frozen=True, slots=True)
class _Expected:
    """Hash that a head requires of the chain after `count` rows."""

    name: str
    count: int
    head_hash: str
    last_forecast: int | None


def _verify_heads(heads: Sequence[LedgerHead]) -> None:
    """Verify the chain of heads: days and counts rise, and each head was recorded on its day."""
    previous: LedgerHead | None = None
    for head in heads:
        name = f"Head of {head.day}"
        if head.previous_hash != (GENESIS if previous is None else previous.entry_hash):
            raise LedgerBroken(name, BROKEN_HEAD_LINK)
        if chain_hash(head.previous_hash, head.payload) != head.entry_hash:
            raise LedgerBroken(name, ALTERED_PAYLOAD)
        reason = _column_fault(HEAD_MAPPING, head, head.payload)
        if reason is not None:
            raise LedgerBroken(name, reason)
        if head.recorded_at.astimezone(UTC).date() != head.day:
            raise LedgerBroken(name, "it was recorded on another day")
        if previous is not None and (
            head.day <= previous.day or head.count < previous.count or head.outcomes < previous.outcomes
        ):
            raise LedgerBroken(name, f"its day or a count is below that of the head of {previous.day}")
        previous = head


def _verify_saved_day(saved: SavedHead, heads: Sequence[LedgerHead]) -> None:
    """Compare the daily head in the saved one: it also finds heads that were forged together with outcomes."""
    stored = {head.day.isoformat(): head.entry_hash for head in heads}
    if saved.day_entry_hash is None or stored.get(str(saved.day)) == saved.day_entry_hash:
        return
    raise LedgerBroken(SAVED_HEAD, f"the stored head of {str(saved.day)[:10]} differs from it")


def _verify_first_ids() -> None:
    """Refuse ids below 1: readers show such rows, but begin reading the chain at 1."""
    for name, model in NAMES.items():
        first = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
        if first is not None and first < 1:
            raise LedgerBroken(f"{name} {first}", "its id is below 1")


def _verify_times() -> None:
    """Compare the times of forecasts with their order, their kinds, the heads and the calendars."""
    fault = first_time_fault()
    if fault is not None:
        raise _forecast_fault(*fault)


class _BlockChecks:
    """Checks of input blocks in threads, while this one waits for PostgreSQL to compare forecasts."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self._batches = input_block_batches()
        self._running: deque[Future[int | None]] = deque()
        self.broken: int | None = None
        self.count = 0

    def start_batch(self) -> bool:
        """Read and check the next blocks; False if there are none. Few batches are in memory at a time."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        self.count += len(batch)
        self._running.append(self.pool.submit(_first_broken, batch))
        if len(self._running) > 2 * BLOCK_THREADS:
            self._finish_batch()
        return True

    def finish(self) -> None:
        """Check the remaining blocks; then `broken` is the id of the first broken one, or None."""
        while self.start_batch():
            pass
        while self._running:
            self._finish_batch()

    def _finish_batch(self) -> None:
        broken = self._running.popleft().result()
        self.broken = broken if self.broken is None else self.broken


def _first_broken(batch: Sequence[tuple[int, str, int, bytes]]) -> int | None:
    """Return the id of the first block whose numbers do not match its hash and shape."""
    for key, sha256, numbers, block in batch:
        raw = checked_numbers(block, sha256)
        if raw is None or len(raw) != numbers * FLOAT_BYTES:
            return key
    return None


def _verify_chain(expected: Sequence[_Expected], blocks: _BlockChecks) -> tuple[int, str]:
    """Verify each forecast and each head that covers it; returns the count and the newest hash."""
    remaining: Iterator[_Expected] = iter(expected)
    head = next(remaining, None)
    previous, count = GENESIS, 0
    for row, entry_hash in _hashed_rows(blocks):
        if row.previous_hash != previous:
            raise _forecast_fault(row.key, BROKEN_LINK, count)
        if entry_hash != row.entry_hash:
            raise _forecast_fault(row.key, ALTERED_PAYLOAD, count)
        if row.fault is not None:
            raise _forecast_fault(row.key, _stored_fault(FORECAST_MAPPING, row), count)
        previous = row.entry_hash
        count += 1
        while head is not None and head.count == count:
            _compare_head(head, row, count)
            head = next(remaining, None)
    if head is not None:
        reason = f"it counts {head.count} forecasts, and only {count} are stored: the newest ones are missing"
        raise LedgerBroken(head.name, reason, forecast_id=head.last_forecast, verified=count)
    return count, previous


def _hashed_rows(blocks: _BlockChecks) -> Iterator[tuple[LedgerRow, str]]:
    """The forecasts in order with their hashes, which a thread computes during the next query."""
    running: Future[list[tuple[LedgerRow, str]]] | None = None
    blocks.start_batch()
    for batch in compared_chain_batches():
        following = blocks.pool.submit(_row_hashes, batch)
        if running is not None:
            yield from running.result()
        running = following
        blocks.start_batch()
    if running is not None:
        yield from running.result()


def _row_hashes(batch: Sequence[LedgerRow]) -> list[tuple[LedgerRow, str]]:
    """Return each row with the hash that follows from its payload and its previous hash."""
    return [(row, chain_hash(row.previous_hash, row.payload)) for row in batch]


def _compare_head(head: _Expected, row: LedgerRow, count: int) -> None:
    if head.head_hash != row.entry_hash:
        raise LedgerBroken(head.name, f"the chain has another hash after {count} forecasts", verified=count)
    if head.last_forecast not in (None, row.key):
        raise LedgerBroken(head.name, f"its last forecast is not number {count}", verified=count)


def _stored_fault(mapping: LedgerMapping, row: LedgerRow) -> str:
    """Describe how a stored row differs from its payload, after the database found that it does."""
    stored = mapping.model._default_manager.filter(pk=row.key, origin=row.origin).first()
    reason = None if stored is None or row.fault == "schema" else _column_fault(mapping, stored, row.payload)
    return reason or UNKNOWN_SCHEMA


def _column_fault(mapping: LedgerMapping, stored: Model, payload: str) -> str | None:
    """Name the columns that differ from the payload."""
    try:
        names = mapping.differences(stored, payload)
    except ValueError:
        return UNKNOWN_SCHEMA
    except ObjectDoesNotExist:
        return DANGLING
    return f"columns differ from its payload: {', '.join(names)}" if names else None


def _forecast_fault(key: int, reason: str, verified: int = 0) -> LedgerBroken:
    facts = Forecast.objects.filter(pk=key).values_list("symbol", "origin", "horizon_sessions")
    symbol, origin, horizon = facts[0]
    name = f"Forecast {key} ({symbol}, from {origin}, {counted(horizon, 'trading day')} ahead)"
    return LedgerBroken(name, reason, forecast_id=key, verified=verified)


def _verify_inputs(blocks: _BlockChecks) -> int:
    """Verify hash, shape and owner of every input block; returns their count."""
    blocks.finish()
    if blocks.broken is not None:
        raise _input_fault(blocks.broken)
    with connection.cursor() as cursor:
        cursor.execute(MISPLACED_INPUT_SQL)
        found = cursor.fetchone()
    if found is not None:
        raise _forecast_fault(found[0], MISPLACED_INPUT)
    return blocks.count


def _input_fault(key: int) -> LedgerBroken:
    user = Forecast.objects.filter(inputs=key).order_by("pk").values_list("pk", flat=True).first()
    if user is None:
        return LedgerBroken(f"Input block {key}", "its numbers do not match its hash and shape")
    return _forecast_fault(user, ALTERED_INPUT)


def _verify_outcomes(heads: Sequence[LedgerHead]) -> None:
    """Verify that each outcome follows from its forecast, matches its payload, and is covered by the heads."""
    with connection.cursor() as cursor:
        cursor.execute(CONTRADICTING_OUTCOME_SQL)
        found = cursor.fetchone()
    if found is not None:
        outcome, forecast = found
        reason = f"it does not follow from forecast {forecast} and the actual price"
        raise LedgerBroken(f"Outcome {outcome}", reason, forecast_id=forecast)
    outcomes = _matching_outcomes()
    count, last, running = 0, 0, GENESIS
    for head in heads:
        for row in islice(outcomes, head.outcomes - count):
            running, last = chain_hash(running, row.payload), row.key
            count += 1
        if (count, last, running) != (head.outcomes, head.last_outcome, head.outcomes_hash):
            reason = f"the {head.outcomes} outcomes it covers are not the first ones that are stored"
            raise LedgerBroken(f"Head of {head.day}", reason)
    for _ in outcomes:
        # The generator compares outcomes that are newer than the newest head.
        pass


def _matching_outcomes() -> Iterator[LedgerRow]:
    """The outcomes in order. Raises LedgerBroken for one that differs from its payload."""
    for row in outcome_rows(compared=True):
        if row.fault is not None:
            raise LedgerBroken(f"Outcome {row.key}", _stored_fault(OUTCOME_MAPPING, row))
        yield row
