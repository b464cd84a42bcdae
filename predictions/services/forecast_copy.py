"""Storing many forecasts at once: one COPY, instead of an INSERT with a parameter for every value."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

from django.db import connection

from predictions.models import Forecast
from predictions.models.forecast_row import ForecastRow
from predictions.sealing import COLUMNS

# The other columns are the texts that were sealed.
_OTHERS = ("reasons", "inputs_id", "toolchain_id", "previous_hash", "entry_hash")
_SEALED = tuple(
    field.attname for field in Forecast._meta.concrete_fields if field.attname in COLUMNS and field.attname != "reasons"
)
_COPY = f'COPY "{Forecast._meta.db_table}" ({", ".join([*_SEALED, *_OTHERS])}) FROM STDIN'
_TEXTS = itemgetter(*(COLUMNS.index(name) for name in _SEALED))


def copy_in(sealed: Iterable[tuple[ForecastRow, Sequence[str | None]]]) -> list[ForecastRow]:
    """Insert rows that have their keys and seals, as they come; constraints and triggers hold as for any insert.

    Each with its stored texts. While the database takes a row in, the next one can be made.
    """
    rows = []
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row, texts in sealed:
            reasons = list(row.reasons) or "{}"
            copy.write_row(
                (*_TEXTS(texts), reasons, row.inputs_id, row.toolchain_id, row.previous_hash, row.entry_hash)
            )
            rows.append(row)
    return rows
