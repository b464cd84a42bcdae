"""The text that the ledger hashes: a row's columns as canonical JSON (RFC 8785), and the hash chain over such texts.

`LedgerMapping` is the one place that connects columns and payload: it writes the payload from a row, and gives the SQL
that compares both. It reads the columns from the model, so that a new column is part of the payload at once.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

GENESIS = "0" * 64
# The schema that is written. Older ones stay readable: see `LedgerMapping.since`.
SCHEMA = 1
# Canonical JSON sorts its keys, and an underscore sorts before the letters that column names begin with.
SCHEMA_KEY = "_schema"
# A row's place in the chain is not part of its payload: it follows from the payloads.
CHAIN_COLUMNS = frozenset({"payload", "previous_hash", "entry_hash"})

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_ABSENT = object()

WriteJson = Callable[[Any], str]


def canonical_json(value: Any) -> str:
    """RFC 8785 text of strings, whole numbers, booleans, null, lists, and objects with ASCII keys.

    Raises TypeError for a float or a key that is not ASCII: decimals are written as strings.
    """
    _require_exact(value)
    return _ENCODER.encode(value)


def chain_hash(previous_hash: str, payload: str) -> str:
    """SHA-256 of the previous hash, a line feed and the payload: it covers the payload and everything before it."""
    return hashlib.sha256(f"{previous_hash}\n{payload}".encode()).hexdigest()


def decimal_text(value: Decimal) -> str:
    """A decimal in plain notation without trailing zeros."""
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


def instant_text(value: datetime) -> str:
    """An instant in UTC with six digits of a second."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def parse_payload(payload: str) -> dict[str, Any]:
    """The fields of a payload. Raises ValueError if it is no JSON object that begins with a known schema."""
    fields = json.loads(payload)
    if not isinstance(fields, dict) or fields.get(SCHEMA_KEY) not in range(1, SCHEMA + 1):
        raise ValueError(f"a payload must begin with a schema from 1 to {SCHEMA}")
    return fields


@dataclass(frozen=True, eq=False)
class LedgerMapping:
    """Connects the columns of a ledger table with the fields of its payloads.

    `contents` gives fields that hold what a foreign key refers to, as `relation__column`, where the content counts.
    `omitted` are columns that no payload holds. `since` gives the first schema of fields that schema 1 does not have.
    """

    model: type[models.Model]
    contents: Mapping[str, str] = field(default_factory=dict)
    omitted: frozenset[str] = frozenset()
    since: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def columns(self) -> dict[str, WriteJson]:
        """Each column that payloads hold, and what writes its value."""
        absent = self.omitted | CHAIN_COLUMNS
        stored = (column for column in self.model._meta.concrete_fields if column.attname not in absent)
        return {column.attname: _writer_of(column) for column in stored}

    def keys(self, schema: int) -> list[str]:
        """The fields that a payload of this schema holds, in alphabetical order."""
        return [name for name in sorted([*self.columns, *self.contents]) if self.since.get(name, 1) <= schema]

    def payload(self, row: models.Model) -> str:
        """The text that is stored and hashed; reads the rows that `contents` refers to."""
        values = row.__dict__.copy()
        for name, relation, column in self._references:
            referred = relation(row)
            values[name] = None if referred is None else column(referred)
        texts = [
            f"{label}null" if (value := values[name]) is None else label + write(value)
            for name, label, write in self._fields
        ]
        return f'{{"{SCHEMA_KEY}":{SCHEMA},{",".join(texts)}}}'

    def fields(self, row: models.Model) -> dict[str, Any]:
        """Return the fields of the row's payload."""
        fields: dict[str, Any] = json.loads(self.payload(row))
        return fields

    def differences(self, row: models.Model, payload: str) -> list[str]:
        """The fields in which a row and a payload differ. Raises ValueError for a payload that cannot be read."""
        stored, current = parse_payload(payload), self.fields(row)
        return [name for name in self.keys(stored[SCHEMA_KEY]) if stored.get(name, _ABSENT) != current[name]]

    def comparison_sql(self) -> str:
        """An expression that compares the row `stored` with `parsed`: its payload as `text`, and as jsonb in `fields`.

        It gives 'schema' for an unknown schema, 'columns' where column and payload differ in a value, else null.
        PostgreSQL compares values of the column's type, so that no text form is imitated.
        """
        branches = " ".join(
            f"WHEN starts_with(parsed.text, '{{\"{SCHEMA_KEY}\":{schema},') "
            f"THEN CASE WHEN {' OR '.join(self._differs_sql(schema))} THEN 'columns' END"
            for schema in range(1, SCHEMA + 1)
        )
        return f"CASE {branches} ELSE 'schema' END"

    def _differs_sql(self, schema: int) -> Iterator[str]:
        """Conditions under which a payload of this schema differs from its row."""
        keys = self.keys(schema)
        yield f"NOT fields ?& '{{{','.join(keys)}}}'"
        yield "jsonb_populate_record(stored, fields) <> stored"
        for name, lookup in self.contents.items():
            relation, column = lookup.split("__")
            key: Any = self.model._meta.get_field(relation)
            content = f"SELECT {column} FROM {key.related_model._meta.db_table} WHERE id = stored.{key.column}"
            if name in keys:
                yield f"fields ->> '{name}' IS DISTINCT FROM ({content})"

    @cached_property
    def _fields(self) -> list[tuple[str, str, WriteJson]]:
        """Name, JSON label and writer of each field, in the order of the payload."""
        writers = {**dict.fromkeys(self.contents, encode_basestring), **self.columns}
        return [(name, f'"{name}":', writers[name]) for name in self.keys(SCHEMA)]

    @cached_property
    def _references(self) -> list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
        parts = ((name, lookup.split("__")) for name, lookup in self.contents.items())
        return [(name, attrgetter(relation), attrgetter(column)) for name, (relation, column) in parts]


def _writer_of(column: "models.Field[Any, Any]") -> WriteJson:
    """What writes values of a column as canonical JSON. Raises TypeError for a type that has no exact text.

    Rows that are not stored yet may hold decimals and instants as the texts that are written.
    """
    if isinstance(column, models.DecimalField):
        return lambda value: f'"{value}"' if type(value) is str else f'"{decimal_text(value)}"'
    if isinstance(column, models.DateTimeField):
        return lambda value: f'"{value}"' if type(value) is str else f'"{instant_text(value)}"'
    if isinstance(column, models.DateField):
        return lambda value: f'"{value.isoformat()}"'
    if isinstance(column, ArrayField | models.JSONField):
        return canonical_json
    if isinstance(column, models.BooleanField):
        return lambda value: "true" if value else "false"
    if isinstance(column, models.IntegerField | models.ForeignKey):
        return str
    if isinstance(column, models.CharField):
        return encode_basestring
    raise TypeError(f"{column} is a {type(column).__name__}, which a payload cannot hold")


def _require_exact(value: Any) -> None:
    if isinstance(value, dict):
        if not all(map(str.isascii, value)):
            raise TypeError(f"a canonical key must be ASCII: {', '.join(value)}")
        value = value.values()
    elif not isinstance(value, list | tuple):
        if isinstance(value, float):
            raise TypeError(f"write {value!r} as a decimal string: floats have no exact text")
        return
    for part in value:
        if type(part) is not str:
            _require_exact(part)
