"""The chain of forecasts: each row is sealed with a hash over everything it says and the hash before it."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeVar

import structlog
from django.db import connection, transaction

from predictions.models import Forecast, LedgerHead
from predictions.models.forecast_row import ForecastRow
from predictions.sealing import COLUMNS, GENESIS, head_text, instant_text, jsonb_text, link, outcome_text, said
from predictions.selectors.ledger import chain_end, newest_head, outcome_key, outcome_rows
from predictions.services.scorekeeping import hold_score

log = structlog.get_logger(__name__)

CHAIN_LOCK = 0x7072_0001
NEXT_KEYS = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s) ORDER BY 1"

Row = TypeVar("Row", Forecast, ForecastRow)

# Of what a forecast refers to the content is sealed, and so it is read through the reference.
_SEALED_BY_CONTENT = {"inputs_sha256": "inputs", "model_sha256": "model_version.artifact_sha256"}
_READ = attrgetter(*(_SEALED_BY_CONTENT.get(name, name) for name in COLUMNS))
_LIST = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DRIVERS, _REASONS, _INPUTS, _TOOLCHAIN = map(COLUMNS.index, ("drivers", "reasons", "inputs_sha256", "toolchain"))


def hold_chain() -> None:
    """Wait until nobody else adds to the chain, and keep it so until the surrounding transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])


def head() -> str:
    """The hash of the newest row, or the hash an empty chain begins with."""
    return Forecast.objects.order_by("-pk").values_list("entry_hash", flat=True).first() or GENESIS


def next_keys(table: str, count: int) -> list[int]:
    """Keys for so many new rows, ascending."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT_KEYS, [table, count])
        return [key for (key,) in cursor.fetchall()]


def seal(forecasts: Sequence[Forecast], *, after: str) -> None:
    """Give the rows their keys and chain them in their order, the first one onto the hash `after`.

    Numbers must have their stored decimals. The caller holds the chain, so that keys rise along it.
    """
    for _ in sealed(forecasts, keys=next_keys("predictions_forecast", len(forecasts)), after=after):
        pass


def sealed(forecasts: Iterable[Row], *, keys: Sequence[int], after: str) -> Iterator[tuple[Row, list[str | None]]]:
    """The rows with their keys and hashes, one after the other, each with its stored texts; see `seal`."""
    previous = after
    for forecast, key in zip(forecasts, keys, strict=True):
        forecast.pk = key
        forecast.previous_hash = previous
        texts = stored_texts(forecast)
        forecast.entry_hash = previous = link(previous, said(texts))
        yield forecast, texts


def entry_hash(forecast: Forecast) -> str:
    """The hash that seals a row, from the hash before it and everything the row says."""
    return link(forecast.previous_hash, said(stored_texts(forecast)))


def stored_texts(forecast: Forecast | ForecastRow) -> list[str | None]:
    """What PostgreSQL will say each of the sealed columns holds; reads the row's inputs, model and toolchain."""
    told: list[Any] = list(_READ(forecast))
    told[_DRIVERS] = jsonb_text(told[_DRIVERS])
    told[_REASONS] = _LIST.encode(list(told[_REASONS]))
    told[_INPUTS] = told[_INPUTS] and told[_INPUTS].sha256
    told[_TOOLCHAIN] = told[_TOOLCHAIN] and told[_TOOLCHAIN].versions
    return [value if value is None or type(value) is str else _text(value) for value in told]


@transaction.atomic
def record_head(*, now: datetime) -> tuple[LedgerHead | None, bool]:
    """Keep where the chain ends and which outcomes are known, as the head of this UTC day; returns (head, created).

    A second call on the same day, or one on a day before the newest head's, returns that one. None for an empty chain.
    """
    hold_chain()
    hold_score()
    newest, day = newest_head(), now.astimezone(UTC).date()
    if newest is not None and newest.day >= day:
        return newest, False
    end = chain_end(newest)
    if end.last_forecast is None:
        return None, False
    taken = LedgerHead(
        day=day,
        count=end.count,
        last_forecast_id=end.last_forecast,
        head_hash=end.head_hash,
        **_outcomes_since(newest),
        recorded_at=now,
        previous_hash=GENESIS if newest is None else newest.entry_hash,
    )
    taken.entry_hash = head_hash_of(taken)
    taken.save()
    log.info("ledger_head_recorded", day=day.isoformat(), count=taken.count, head=taken.head_hash)
    return taken, True


def head_hash_of(head: LedgerHead) -> str:
    """The hash that seals a day's head, from the hash of the head before it."""
    told: dict[str, str | int] = {
        "count": head.count,
        "day": head.day.isoformat(),
        "head_hash": head.head_hash,
        "last_forecast": head.last_forecast_id,
        "last_outcome": head.last_outcome,
        "outcomes": head.outcomes,
        "outcomes_hash": head.outcomes_hash,
        "recorded_at": instant_text(head.recorded_at),
    }
    return link(head.previous_hash, head_text(told))


def _outcomes_since(head: LedgerHead | None) -> dict[str, Any]:
    """What the next head says of outcomes: those of the head before and those written since."""
    count, last, running = (0, 0, GENESIS) if head is None else (head.outcomes, head.last_outcome, head.outcomes_hash)
    for texts in outcome_rows(after=last):
        running = link(running, outcome_text(texts))
        last = outcome_key(texts)
        count += 1
    return {"outcomes": count, "last_outcome": last, "outcomes_hash": running}


def unpacked(block: bytes) -> bytes | None:
    """The bytes of an input block's numbers; None when it cannot be unpacked."""
    try:
        return zlib.decompress(block)
    except zlib.error:
        return None


def sha256_of(raw: bytes) -> str:
    """SHA-256 of the bytes of an input block's numbers."""
    return hashlib.sha256(raw).hexdigest()


def _text(value: Any) -> str:
    """Decimals with the digits they are stored with, instants in UTC, dates as ISO, the rest as it is written."""
    if isinstance(value, Decimal):
        return f"{value:.6f}"
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)
