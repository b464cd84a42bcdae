"""Appending to the ledger: forecasts, outcomes and daily heads get their payloads and their place in the chain."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import structlog
from django.db import connection, transaction

from marketdata.clock import Clock
from marketdata.sql import fetch_rows
from predictions.errors import ClockBehind
from predictions.ledger_payload import GENESIS, chain_hash
from predictions.models import Forecast, LedgerHead, Outcome
from predictions.models.ledger_mappings import FORECAST_MAPPING, HEAD_MAPPING, OUTCOME_MAPPING
from predictions.selectors.ledger import chain_end, newest_head, outcome_rows
from predictions.services.ledger_signatures import sign_head, signing_key
from predictions.services.scoring_lock import lock_scoring

log = structlog.get_logger(__name__)

CHAIN_LOCK = 0x7072_0001
# Clocks of several machines differ a little.
CLOCK_TOLERANCE = timedelta(minutes=1)
NEWEST_TIME_SQL = """
SELECT greatest(
    (SELECT recorded_at FROM predictions_forecast ORDER BY id DESC LIMIT 1),
    (SELECT recorded_at FROM predictions_ledgerhead ORDER BY id DESC LIMIT 1)
)
"""
NEXT_IDS = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s) ORDER BY 1"

_COLUMNS = tuple(field.attname for field in Forecast._meta.concrete_fields)
_COPY = f"COPY {Forecast._meta.db_table} ({', '.join(_COLUMNS)}) FROM STDIN"
_VALUES = itemgetter(*_COLUMNS)
_REASONS, _DRIVERS = _COLUMNS.index("reasons"), _COLUMNS.index("drivers")


def lock_chain() -> None:
    """Let no other transaction append forecasts until the surrounding one ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])


def recording_time(clock: Clock) -> datetime:
    """Return the time to record new rows or a head with: now, or the time of the newest one if that is a little later.

    The caller holds the chain lock, so that times rise along the chain. Raises ClockBehind.
    """
    now = clock()
    newest: datetime | None = fetch_rows(NEWEST_TIME_SQL)[0][0]
    if newest is None or newest <= now:
        return now
    if newest - now > CLOCK_TOLERANCE:
        raise ClockBehind(now, newest)
    return newest


def newest_hash() -> str:
    """Return the hash of the newest forecast, or GENESIS for an empty chain."""
    return Forecast.objects.order_by("-pk").values_list("entry_hash", flat=True).first() or GENESIS


def reserve_ids(table: str, count: int) -> list[int]:
    """Reserve ids for new rows, in ascending order."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT_IDS, [table, count])
        return [key for (key,) in cursor.fetchall()]


def chain_forecasts(forecasts: Iterable[Forecast], *, ids: Sequence[int], after: str) -> Iterator[Forecast]:
    """Give each forecast its id, payload and hashes; the first one follows the hash `after`.

    The caller holds the chain lock, so that ids rise along the chain.
    """
    previous = after
    for forecast, key in zip(forecasts, ids, strict=True):
        forecast.pk = key
        forecast.previous_hash = previous
        forecast.payload = FORECAST_MAPPING.payload(forecast)
        forecast.entry_hash = previous = chain_hash(previous, forecast.payload)
        yield forecast


def append_forecasts(forecasts: Iterable[Forecast], *, count: int) -> list[Forecast]:
    """Chain and insert `count` new forecasts with one COPY; constraints and triggers hold as for any insert.

    The database takes one row in while the next one is made. The caller holds the chain lock.
    """
    ids, after = reserve_ids(Forecast._meta.db_table, count), newest_hash()
    rows = []
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for forecast in chain_forecasts(forecasts, ids=ids, after=after):
            values: list[Any] = list(_VALUES(forecast.__dict__))
            values[_REASONS] = values[_REASONS] or "{}"
            values[_DRIVERS] = json.dumps(values[_DRIVERS])
            copy.write_row(values)
            rows.append(forecast)
    return rows


def seal_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Give new outcomes their ids and payloads; the next head of the ledger covers them."""
    for outcome, key in zip(outcomes, reserve_ids(Outcome._meta.db_table, len(outcomes)), strict=True):
        outcome.pk = key
        outcome.payload = OUTCOME_MAPPING.payload(outcome)


@transaction.atomic
def record_head(*, clock: Clock) -> tuple[LedgerHead | None, bool]:
    """Record and sign the end of the chain and the outcomes so far as this UTC day's head; returns (head, created).

    A second call on the same day, or one on a day before the newest head's, returns that head. None for an empty chain.
    Raises ClockBehind, LedgerKeyRefused.
    """
    lock_chain()
    lock_scoring()
    newest = newest_head()
    if newest is not None and newest.day >= clock().astimezone(UTC).date():
        return newest, False
    now = recording_time(clock)
    end = chain_end(newest)
    if end.last_forecast is None:
        return None, False
    key = signing_key(now=now)
    head = LedgerHead(
        day=now.astimezone(UTC).date(),
        count=end.count,
        last_forecast_id=end.last_forecast,
        head_hash=end.head_hash,
        **_outcomes_since(newest),
        recorded_at=now,
        previous_hash=GENESIS if newest is None else newest.entry_hash,
        key_id=key.key_id,
    )
    seal_head(head)
    sign_head(head, key)
    head.save()
    log.info("ledger_head_recorded", day=head.day.isoformat(), count=head.count, head=head.head_hash)
    return head, True


def seal_head(head: LedgerHead) -> None:
    """Give a head its payload and its hash, which follows its previous hash."""
    head.payload = HEAD_MAPPING.payload(head)
    head.entry_hash = chain_hash(head.previous_hash, head.payload)


def _outcomes_since(head: LedgerHead | None) -> dict[str, Any]:
    """Return the outcome fields of the next head: they continue those of the head before."""
    count, last, running = (0, 0, GENESIS) if head is None else (head.outcomes, head.last_outcome, head.outcomes_hash)
    for outcome in outcome_rows(after=last):
        running = chain_hash(running, outcome.payload)
        last = outcome.key
        count += 1
    return {"outcomes": count, "last_outcome": last, "outcomes_hash": running}
