"""What is hashed of a forecast: the stored text of every column, as one JSON object. Sealing and verifying share it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

GENESIS = "0" * 64

# In this order they are written. Of a forecast's inputs, model and toolchain the content counts, not the key.
COLUMNS = (
    "base_rate_up",
    "basis_date",
    "big_move",
    "confidence",
    "data_source",
    "drivers",
    "fit",
    "horizon_sessions",
    "id",
    "inputs_sha256",
    "instrument_id",
    "kind",
    "last_price",
    "lower_80",
    "lower_95",
    "lower_99",
    "model_sha256",
    "model_version_id",
    "origin",
    "predicted_price",
    "probability_beats_median",
    "probability_up",
    "reasons",
    "recorded_at",
    "risk_level",
    "signal",
    "signal_meaning",
    "signal_reason",
    "status",
    "symbol",
    "target",
    "tick",
    "toolchain",
    "upper_80",
    "upper_95",
    "upper_99",
    "volatility_rises",
)
OUTCOME_COLUMNS = (
    "actual_price",
    "call_right",
    "direction_right",
    "error",
    "forecast_id",
    "id",
    "inside_80",
    "inside_95",
    "inside_99",
    "recorded_at",
    "revision",
    "volatility_rose",
    "went_up",
)
# Their stored text is JSON already; all others are written as strings, so that every digit counts.
JSON_COLUMNS = frozenset({"drivers", "horizon_sessions", "id", "instrument_id", "model_version_id", "reasons"})

_WRITERS = tuple(str if name in JSON_COLUMNS else encode_basestring for name in COLUMNS)
_SHAPE = "{" + ",".join(f'"{name}":%s' for name in COLUMNS) + "}"


def said(texts: Sequence[str | None]) -> str:
    """The JSON that is hashed, from the stored text of each of COLUMNS; None is null."""
    written = ["null" if text is None else write(text) for write, text in zip(_WRITERS, texts, strict=True)]
    return _SHAPE % tuple(written)


def link(previous_hash: str, text: str) -> str:
    """The hash that seals `text` and everything before it: SHA-256 of the hash before, a line feed and the text."""
    return hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()


def line_of(previous_hash: str, entry_hash: str, text: str) -> str:
    """One line of an export, from which the seal can be checked without knowing what it says."""
    return f'{{"previous_hash":"{previous_hash}","entry_hash":"{entry_hash}","said":{text}}}\n'


def outcome_text(texts: Sequence[str | None]) -> str:
    """The JSON that is hashed of an outcome: the stored text of each of OUTCOME_COLUMNS."""
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def head_text(told: Mapping[str, str | int]) -> str:
    """The JSON that is hashed of a day's head, from its fields by name."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def instant_text(instant: datetime) -> str:
    """An instant as it is hashed: in UTC, with six digits of a second."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def jsonb_text(value: Any) -> str:
    """A JSON value as PostgreSQL writes it once stored: keys by length, then bytes; numbers without an exponent."""
    if isinstance(value, dict):
        parts = [
            f"{label}{encode_basestring(part) if type(part := value[name]) is str else jsonb_text(part)}"
            for name, label in _labels(tuple(value))
        ]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, float):
        # There is no negative zero in the database.
        text = repr(value + 0.0)
        return format(Decimal(text), "f") if "e" in text else text
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(jsonb_text, value)) + "]"
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value)


@lru_cache(maxsize=64)
def _labels(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """An object's keys in their stored order, each with how it is written."""
    ordered = sorted(names, key=lambda name: (len(name.encode()), name.encode()))
    return [(name, f"{encode_basestring(name)}: ") for name in ordered]
