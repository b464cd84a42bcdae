"""Storing many forecasts at once: one COPY, instead of an INSERT with a parameter for every value."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from predictions.models import Forecast

_FIELDS = Forecast._meta.concrete_fields
_COPY = f'COPY "{Forecast._meta.db_table}" ({", ".join(str(field.column) for field in _FIELDS)}) FROM STDIN'
_NAMES = tuple(field.attname for field in _FIELDS)


def copy_in(forecasts: Sequence[Forecast]) -> None:
    """Insert rows that have their keys and seals; constraints and triggers hold as for any insert."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for forecast in forecasts:
            copy.write_row([_value(name, getattr(forecast, name)) for name in _NAMES])
    for forecast in forecasts:
        forecast._state.adding, forecast._state.db = False, connection.alias


def _value(name: str, value: Any) -> Any:
    """A value as psycopg writes it; of a choice the text and not its name."""
    if name == "drivers":
        return Jsonb(value)
    return str(value) if isinstance(value, str) else value
