"""The chain of forecasts: each row is sealed with a hash over everything it says and the hash before it."""

import hashlib
import json
import zlib
from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal
from typing import Any

from django.db import connection

from predictions.errors import LedgerBroken
from predictions.models import Forecast, ForecastInput

GENESIS = "0" * 64
CHAIN_LOCK = 0x7072_0001
ROWS_AT_A_TIME = 2_000

_NOT_SAID = frozenset({"id", "entry_hash", "inputs"})
_FIELDS = tuple(field for field in Forecast._meta.concrete_fields if field.name not in _NOT_SAID)


def hold_chain() -> None:
    """Wait until nobody else adds to the chain, and keep it so until the surrounding transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])


def head() -> str:
    """The hash of the newest row, or the hash an empty chain begins with."""
    newest = Forecast.objects.order_by("-pk").values_list("entry_hash", flat=True).first()
    return newest or GENESIS


def seal(forecasts: Iterable[Forecast], *, after: str) -> None:
    """Chain the rows in their order, the first one onto the hash `after`; numbers must have their stored decimals."""
    previous = after
    for forecast in forecasts:
        forecast.previous_hash = previous
        forecast.entry_hash = previous = entry_hash(forecast)


def entry_hash(forecast: Forecast) -> str:
    """SHA-256 over the hash before it and the row's canonical JSON."""
    return hashlib.sha256(f"{forecast.previous_hash}\n{canonical(forecast)}".encode()).hexdigest()


def canonical(forecast: Forecast) -> str:
    """Every column that says something, as JSON with sorted keys; of the inputs the hash of their numbers."""
    said: dict[str, Any] = {field.attname: _plain(getattr(forecast, field.attname)) for field in _FIELDS}
    said["drivers"] = [{**driver, "contribution": f"{driver['contribution']:.6f}"} for driver in forecast.drivers]
    said["inputs_sha256"] = None if forecast.inputs is None else forecast.inputs.sha256
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def verify_chain() -> int:
    """Read the whole chain in pieces and recompute it; returns how many rows hold.

    Raises LedgerBroken with the first row that does not.
    """
    previous, verified = GENESIS, 0
    rows = Forecast.objects.order_by("pk").select_related("inputs").defer("inputs__block")
    for forecast in rows.iterator(chunk_size=ROWS_AT_A_TIME):
        if forecast.previous_hash != previous:
            raise LedgerBroken(forecast.pk, "the row before it is missing or was put elsewhere")
        if entry_hash(forecast) != forecast.entry_hash:
            raise LedgerBroken(forecast.pk, "what it says is not what was sealed")
        previous = forecast.entry_hash
        verified += 1
    _verify_inputs()
    return verified


def _verify_inputs() -> None:
    """Check every input block against the hash that the chain covers."""
    for block in ForecastInput.objects.order_by("pk").iterator(chunk_size=ROWS_AT_A_TIME):
        if sha256_of(bytes(block.block)) != block.sha256:
            user = Forecast.objects.filter(inputs=block).order_by("pk").values_list("pk", flat=True).first()
            raise LedgerBroken(user or 0, "the numbers it was computed from are not those that were sealed")


def sha256_of(block: bytes) -> str:
    """SHA-256 of an input block's numbers, before compression; empty when it cannot be unpacked."""
    try:
        return hashlib.sha256(zlib.decompress(block)).hexdigest()
    except zlib.error:
        return ""


def _plain(value: Any) -> Any:
    """Decimals with the digits they are stored with, instants in UTC, dates as ISO, the rest as it is."""
    if isinstance(value, Decimal):
        return f"{value:.6f}"
    if hasattr(value, "astimezone"):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value
