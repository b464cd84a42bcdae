"""The chain as it is stored: its rows as text, in order and as a stream, and the heads that were taken of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.db import connection

from marketdata.sql import binary_copy, fetch_rows
from predictions.errors import HeadUnknown
from predictions.models import LedgerCheck, LedgerHead
from predictions.sealing import COLUMNS, GENESIS, OUTCOME_COLUMNS, line_of, said

# How a column's stored text is written where that depends on settings, or is not the column itself.
EXPRESSIONS = {
    **{name: f"to_char(f.{name}, 'YYYY-MM-DD')" for name in ("basis_date", "origin", "target")},
    "recorded_at": "to_char(f.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')",
    "reasons": "to_json(f.reasons)",
    "inputs_sha256": "(SELECT i.sha256 FROM predictions_forecastinput i WHERE i.id = f.inputs_id)",
    "model_sha256": "(SELECT v.artifact_sha256 FROM mlops_modelversion v WHERE v.id = f.model_version_id)",
    "toolchain": "(SELECT t.versions FROM predictions_toolchain t WHERE t.id = f.toolchain_id)",
}
ROWS = f"""
SELECT f.previous_hash, f.entry_hash, {", ".join(f"({EXPRESSIONS.get(name, f'f.{name}')})::text" for name in COLUMNS)}
FROM predictions_forecast f WHERE f.id > %s AND f.id <= %s ORDER BY f.id LIMIT %s
"""
OUTCOMES = f"""
SELECT {", ".join(f"({EXPRESSIONS.get(name, f'f.{name}')})::text" for name in OUTCOME_COLUMNS)}
FROM predictions_outcome f WHERE f.id > %s ORDER BY f.id LIMIT %s
"""
BLOCKS = """
SELECT id, sha256, rows::int8 * columns, block FROM predictions_forecastinput
WHERE id > {after} ORDER BY id LIMIT {most}
"""
END_SQL = """
SELECT f.id, f.entry_hash, (SELECT count(*) FROM predictions_forecast c WHERE c.id > %(since)s AND c.id <= f.id)
FROM predictions_forecast f ORDER BY f.id DESC LIMIT 1
"""
HEADS_SQL = "SELECT * FROM predictions_ledgerhead ORDER BY id DESC"
LAST_KEY = 2**63 - 1
ROWS_AT_A_TIME = 5_000
BLOCKS_AT_A_TIME = 1_000

_ID = COLUMNS.index("id")
_OUTCOME_ID = OUTCOME_COLUMNS.index("id")


class SealedRow(NamedTuple):
    """A row of the chain: its two hashes, and the stored text of each of COLUMNS."""

    previous_hash: str
    entry_hash: str
    texts: tuple[str | None, ...]

    @property
    def key(self) -> int:
        """The forecast's id."""
        return int(self.texts[_ID] or 0)

    @property
    def said(self) -> str:
        """The text that is hashed."""
        return said(self.texts)

    @property
    def line(self) -> str:
        """The row as a line of an export."""
        return line_of(self.previous_hash, self.entry_hash, self.said)


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The newest row: its key and hash, and how many rows lead there; a chain without rows ends in GENESIS."""

    count: int
    last_forecast: int | None
    head_hash: str


def sealed_rows(*, after: int = 0, through: int = LAST_KEY, most: int | None = None) -> Iterator[SealedRow]:
    """The rows with keys above `after`, up to `through`, oldest first, at most `most` of them.

    They are read in pieces: little memory is used, no query stays open while a reader is slow, and rows that are added
    meanwhile come last.
    """
    left = LAST_KEY if most is None else most
    while left > 0:
        piece = _piece(after, through, min(left, ROWS_AT_A_TIME))
        yield from piece
        if len(piece) < ROWS_AT_A_TIME:
            return
        left -= len(piece)
        after = piece[-1].key


def input_blocks() -> Iterator[tuple[int, str, int, bytes]]:
    """Key, registered hash, how many numbers and these compressed, of every input block, in the order of keys."""
    after = 0
    while True:
        with binary_copy(BLOCKS, after=after, most=BLOCKS_AT_A_TIME) as copy:
            copy.set_types(["int8", "varchar", "int8", "bytea"])
            piece = list(copy.rows())
        yield from piece
        if len(piece) < BLOCKS_AT_A_TIME:
            return
        after = piece[-1][0]


def outcome_rows(*, after: int = 0) -> Iterator[tuple[str | None, ...]]:
    """The stored text of each of OUTCOME_COLUMNS, of the outcomes with keys above `after`, in the order of keys."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(OUTCOMES, (after, ROWS_AT_A_TIME))
            piece = cursor.fetchall()
        yield from piece
        if len(piece) < ROWS_AT_A_TIME:
            return
        after = outcome_key(piece[-1])


def outcome_key(texts: Sequence[str | None]) -> int:
    """The outcome's key."""
    return int(texts[_OUTCOME_ID] or 0)


def _piece(after: int, through: int, most: int) -> list[SealedRow]:
    with connection.cursor() as cursor:
        cursor.execute(ROWS, (after, through, most))
        return [SealedRow(row[0], row[1], row[2:]) for row in cursor.fetchall()]


def chain_end(head: LedgerHead | None) -> ChainEnd:
    """Where the chain ends now; counts only the rows since `head`, which is the newest one that was taken."""
    counted, since = (0, 0) if head is None else (head.count, head.last_forecast_id)
    newest = fetch_rows(END_SQL, {"since": since})
    if not newest:
        return ChainEnd(0, None, GENESIS)
    last, head_hash, more = newest[0]
    return ChainEnd(counted + more, last, head_hash)


def head_of(day: date) -> LedgerHead:
    """The head that was taken on this UTC day. Raises HeadUnknown."""
    head = LedgerHead.objects.filter(day=day).first()
    if head is None:
        raise HeadUnknown(day)
    return head


def day_heads() -> list[LedgerHead]:
    """The heads of all days, newest first."""
    return list(LedgerHead.objects.raw(HEADS_SQL))


def last_check() -> LedgerCheck | None:
    """What came of the last verification."""
    return LedgerCheck.objects.first()


def newest_head() -> LedgerHead | None:
    """The head that was taken last."""
    return next(iter(LedgerHead.objects.raw(f"{HEADS_SQL} LIMIT 1")), None)
