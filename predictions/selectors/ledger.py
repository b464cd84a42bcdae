"""The stored ledger: its rows in order and as a stream, and its heads."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import NamedTuple

from django.db import DataError, connection, transaction

from marketdata.sql import binary_copy, fetch_rows
from predictions.errors import HeadUnknown
from predictions.ledger_payload import GENESIS, LedgerMapping
from predictions.models import LedgerCheck, LedgerHead, LedgerKey, WitnessedHead
from predictions.models.ledger_mappings import FORECAST_MAPPING, OUTCOME_MAPPING

ROWS = """
SELECT stored.id, stored.origin, {hashes}, {payload}, {fault}
FROM {table} stored{fields}
WHERE (stored.id, stored.origin) > (%s, %s) AND stored.id <= %s ORDER BY stored.id, stored.origin LIMIT %s
"""
# OFFSET 0 and the concatenation let PostgreSQL read and parse each payload once instead of at every use.
FIELDS = """
CROSS JOIN LATERAL (
    SELECT text, text::jsonb AS fields FROM (SELECT stored.payload || '' AS text OFFSET 0) AS read_once OFFSET 0
) AS parsed
"""
HASHES = {FORECAST_MAPPING: "stored.previous_hash, stored.entry_hash", OUTCOME_MAPPING: "'', ''"}
BLOCKS = """
SELECT id, sha256, rows::int8 * columns, block FROM predictions_forecastinput
WHERE id > {after} ORDER BY id LIMIT {most}
"""
END_SQL = """
SELECT f.id, f.entry_hash, (SELECT count(*) FROM predictions_forecast c WHERE c.id > %(since)s AND c.id <= f.id)
FROM predictions_forecast f ORDER BY f.id DESC LIMIT 1
"""
HEADS_SQL = "SELECT * FROM predictions_ledgerhead ORDER BY id DESC"
LAST_ID = 2**63 - 1
# No origin is later: a range that begins after it begins with the next id.
LAST_ORIGIN = "infinity"
ROWS_PER_QUERY = 5_000
BLOCKS_PER_QUERY = 1_500
MOST_WITNESSED = 1_000


class LedgerRow(NamedTuple):
    """A row of the ledger. `fault` names what a comparison of payload and columns found, see `LedgerMapping`."""

    key: int
    origin: date
    previous_hash: str
    entry_hash: str
    payload: str
    fault: str | None

    @property
    def line(self) -> str:
        """Return the row as a line of an export."""
        fields = {"previous_hash": self.previous_hash, "entry_hash": self.entry_hash, "payload": self.payload}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """End of the chain: id and hash of the newest row, and the number of rows; GENESIS if the chain is empty."""

    count: int
    last_forecast: int | None
    head_hash: str


def chain_rows(
    *, after: int = 0, through: int = LAST_ID, limit: int = LAST_ID, compared: bool = False
) -> Iterator[LedgerRow]:
    """The rows of the chain with ids above `after`, up to `through`, oldest first, at most `limit` of them.

    Several queries read them: little memory is used, no query stays open while a reader is slow, and rows that are
    added meanwhile come last.
    """
    batches = _batches(FORECAST_MAPPING, after=after, through=through, limit=limit, compared=compared)
    return chain.from_iterable(batches)


def compared_chain_batches() -> Iterator[list[LedgerRow]]:
    """The rows of the chain, oldest first, compared with their payloads, in the batches in which they are read."""
    return _batches(FORECAST_MAPPING, compared=True)


def outcome_rows(*, after: int = 0, compared: bool = False) -> Iterator[LedgerRow]:
    """The outcomes with ids above `after`, in the order of ids; they have no hashes of their own."""
    return chain.from_iterable(_batches(OUTCOME_MAPPING, after=after, compared=compared))


def input_block_batches() -> Iterator[list[tuple[int, str, int, bytes]]]:
    """Id, registered hash, count of numbers and compressed numbers of every input block, in the order of ids."""
    after = 0
    while True:
        with binary_copy(BLOCKS, after=after, most=BLOCKS_PER_QUERY) as copy:
            copy.set_types(["int8", "varchar", "int8", "bytea"])
            found: list[tuple[int, str, int, bytes]] = list(copy.rows())
        yield found
        if len(found) < BLOCKS_PER_QUERY:
            return
        after = found[-1][0]


def chain_end(head: LedgerHead | None) -> ChainEnd:
    """Return the end of the chain; counts only the rows since the newest head, `head`."""
    counted, since = (0, 0) if head is None else (head.count, head.last_forecast_id)
    newest = fetch_rows(END_SQL, {"since": since})
    if not newest:
        return ChainEnd(0, None, GENESIS)
    last, head_hash, more = newest[0]
    return ChainEnd(counted + more, last, head_hash)


def head_of(day: date) -> LedgerHead:
    """Return the head of this UTC day. Raises HeadUnknown."""
    head = LedgerHead.objects.filter(day=day).first()
    if head is None:
        raise HeadUnknown(day)
    return head


def day_heads() -> list[LedgerHead]:
    """Return the heads of all days, newest first."""
    return list(LedgerHead.objects.raw(HEADS_SQL))


def ledger_keys() -> list[LedgerKey]:
    """The public keys of signatures, newest first."""
    return list(LedgerKey.objects.all())


def witnessed_heads() -> list[WitnessedHead]:
    """The newest heads of other deployments, newest first."""
    return list(WitnessedHead.objects.all()[:MOST_WITNESSED])


def last_check() -> LedgerCheck | None:
    """Return the newest verification."""
    return LedgerCheck.objects.first()


def newest_head() -> LedgerHead | None:
    """Return the newest head."""
    return next(iter(LedgerHead.objects.raw(f"{HEADS_SQL} LIMIT 1")), None)


def _batches(
    mapping: LedgerMapping, *, after: int = 0, through: int = LAST_ID, limit: int = LAST_ID, compared: bool = False
) -> Iterator[list[LedgerRow]]:
    position: tuple[int, date | str] = (after, LAST_ORIGIN)
    while limit > 0:
        size = min(limit, ROWS_PER_QUERY)
        found = _query(mapping, position, through=through, limit=size, compared=compared)
        yield found
        if len(found) < size:
            return
        limit -= size
        position = found[-1][:2]


def _query(
    mapping: LedgerMapping, position: tuple[int, date | str], *, through: int, limit: int, compared: bool
) -> list[LedgerRow]:
    """Some rows after (id, origin). If PostgreSQL cannot read one of the payloads, each row is compared on its own."""
    statement = ROWS.format(
        table=mapping.model._meta.db_table,
        hashes=HASHES[mapping],
        payload="parsed.text" if compared else "stored.payload",
        fault=mapping.comparison_sql() if compared else "NULL",
        fields=FIELDS if compared else "",
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, (*position, through, limit))
            return list(map(LedgerRow._make, cursor.fetchall()))
    except DataError:
        if limit == 1:
            (row,) = _query(mapping, position, through=through, limit=1, compared=False)
            return [row._replace(fault="schema")]
    plain = _query(mapping, position, through=through, limit=limit, compared=False)
    positions = [position, *(row[:2] for row in plain)]
    return [
        row
        for before in positions[: len(plain)]
        for row in _query(mapping, before, through=through, limit=1, compared=True)
    ]
