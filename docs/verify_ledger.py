"""Verify an exported ledger of forecasts with nothing but Python: python3 verify_ledger.py EXPORT [HEADS [KEYS]]

EXPORT comes from `manage.py export_ledger` or GET /api/v1/ledger/entries. The hash of a line is the SHA-256 of the
previous hash (64 zeros before the first line), a line feed, and the text in `payload`. A line changed, removed or moved
shows up at its place; lines cut off at the end, or a forged ledger, at a head. Times never fall from line to line, and
no line behind a head was recorded before it. A live forecast was recorded before trading went on (`live_until`).

HEADS comes from GET /api/v1/ledger/head or /ledger/heads, or is a file of heads that were published, one per line.
KEYS comes from GET /api/v1/ledger/key: with it and the package `cryptography`, signatures of heads are verified.
"""

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None

HEAD_CONTEXT, KEY_CONTEXT = "hindcast ledger head", "hindcast ledger key"


def chain_hash(previous, payload):
    return hashlib.sha256(f"{previous}\n{payload}".encode()).hexdigest()


def read_heads(text):  # Returns the heads of a file: each is a head of the chain, or one of a day, or both.
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    heads = [head for one in documents for head in (one.get("heads", [one]) if isinstance(one, dict) else [one])]
    for head in heads:
        if not (isinstance(head, dict) and isinstance(head.get("count"), int)):
            raise ValueError("The saved head is not a head of a ledger")
    return heads


def daily_heads(heads):  # Returns the heads of days among saved heads.
    days = [head if "entry_hash" in head else head.get("day_head") for head in heads]
    return [day for day in days if day]


def verify(export, heads=()):  # Returns (verified lines, last hash); raises ValueError for the first fault.
    expected = {}
    for head in [*heads, *daily_heads(heads)]:
        expected.setdefault(head["count"], []).append(head)
    count, previous, newest, first_forecasts = 0, "0" * 64, None, set()
    for count, line in enumerate(export, start=1):
        try:
            entry = json.loads(line)
            stated, follows, payload = entry["entry_hash"], entry["previous_hash"], entry["payload"]
            fields = json.loads(payload)
            name = "Line {}, forecast {id} of {symbol}".format(count, **fields)
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"Line {count} is not a line of an export") from None
        if follows != previous:
            raise ValueError(f"{name}: the line before it is missing or out of order")
        previous = chain_hash(previous, payload)
        if stated != previous:
            raise ValueError(f"{name}: its payload does not match its hash")
        newest = verify_times(name, fields, newest)
        verify_kind(name, fields, newest, first_forecasts)
        for head in expected.get(count, ()):
            newest = verify_head(name, head, previous, newest)
    if expected and count < max(expected):
        raise ValueError(f"The saved head counts {max(expected)} forecasts, but the export ends after {count}")
    return count, previous


def verify_times(name, fields, earliest):  # Returns when a line was recorded, which is not before `earliest`.
    try:
        closed_at, recorded_at, until = map(
            datetime.fromisoformat, (fields[field] for field in ("origin_closed_at", "recorded_at", "live_until"))
        )
        fits = closed_at <= recorded_at and closed_at < until and until.date().isoformat() <= fields["target"]
        is_early = earliest is not None and recorded_at < earliest
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{name}: its times cannot be read") from None
    if is_early:
        raise ValueError(f"{name}: it was recorded before the line or head in front of it")
    if not fits:
        raise ValueError(f"{name}: its times contradict one another")
    return recorded_at


def verify_kind(name, fields, recorded_at, first_forecasts):  # One live or late forecast per stock, day and horizon.
    kind, is_live = fields.get("kind"), recorded_at < datetime.fromisoformat(fields["live_until"])
    if kind not in ("live", "late"):
        return
    if (kind == "live") != is_live:
        side = "before" if is_live else "after"
        raise ValueError(f"{name}: it is called {kind}, but it was recorded {side} trading went on")
    key = hash(tuple(fields.get(field) for field in ("instrument_id", "origin", "horizon_sessions")))
    if key in first_forecasts:
        raise ValueError(f"{name}: an earlier line is the live or late forecast of this stock, day and horizon")
    first_forecasts.add(key)


def verify_head(name, head, previous, newest):  # Returns when the head of a day was recorded, else `newest`.
    if head.get("head_hash") != previous:
        raise ValueError(f"{name}: the saved head has another hash at this place")
    if "recorded_at" not in head:
        return newest
    try:
        recorded_at = datetime.fromisoformat(head["recorded_at"])
        is_early = recorded_at < newest
    except (ValueError, TypeError):
        raise ValueError(f"{name}: the time of its head cannot be read") from None
    if is_early:
        raise ValueError(f"{name}: it was recorded after the head that covers it")
    return recorded_at


def verify_days(heads):  # Raises ValueError for the first head of a day whose fields do not match its hash.
    for head in daily_heads(heads):
        name = "Head of {}".format(head.get("day"))
        try:
            fields = json.loads(head["payload"])
            if chain_hash(head["previous_hash"], head["payload"]) != head["entry_hash"]:
                raise ValueError(f"{name}: its payload does not match its hash")
            fields["last_forecast"] = fields.pop("last_forecast_id")
            stated = {field: head.get(field) for field in fields if not field.startswith("_")}
        except (KeyError, TypeError, AttributeError):
            raise ValueError(f"{name} is not a head of a ledger") from None
        if stated != {field: fields[field] for field in stated}:
            raise ValueError(f"{name}: its fields differ from its payload")


def verify_signatures(heads, keys):  # Returns the number of valid signatures; raises ValueError for the first fault.
    public = {key["key_id"]: key for key in keys["keys"]}
    for key in public.values():
        if hashlib.sha256(bytes.fromhex(key["public_key"])).hexdigest()[:16] != key["key_id"]:
            raise ValueError("Key {key_id}: its id does not match it".format(**key))
        if key["endorsed_by"] and not is_signed(
            key["public_key"], key["endorsement"], KEY_CONTEXT, public.get(key["endorsed_by"])
        ):
            raise ValueError("Key {key_id}: the former key {endorsed_by} did not sign it".format(**key))
    days = daily_heads(heads)
    for head in days:
        if not is_signed(head["entry_hash"], head["signature"], HEAD_CONTEXT, public.get(head["key_id"])):
            raise ValueError("Head of {day}: no published key made its signature".format(**head))
    return len(days)


def is_signed(text, signature, context, key):
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["public_key"]))
        public.verify(bytes.fromhex(signature), f"{context}\n{text}".encode())
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def report_on_signatures(heads, keys):  # Returns a sentence on what was verified; raises ValueError for a fault.
    if not daily_heads(heads):
        return "There is no signed head to verify."
    if keys is None:
        return "Signatures were not verified: name a saved response of GET /api/v1/ledger/key as KEYS."
    if Ed25519PublicKey is None:
        return "Signatures were not verified: the Python package `cryptography` is not installed."
    try:
        return f"Verified signatures: {verify_signatures(heads, keys)}."
    except (KeyError, TypeError, AttributeError):
        raise ValueError("KEYS or HEADS is not a response of this API") from None


def main(export, heads=None, keys=None):
    saved = read_heads(Path(heads).read_text(encoding="utf-8")) if heads else []
    public = json.loads(Path(keys).read_text(encoding="utf-8")) if keys else None
    with open(export, encoding="utf-8", newline="\n") as lines:
        report = "{} forecasts verified; the last hash is {}.".format(*verify(lines, saved))
    verify_days(saved)
    return f"{report}\n{report_on_signatures(saved, public)}" if heads else report


if __name__ == "__main__":
    try:
        sys.stdout.write(main(*sys.argv[1:]) + "\n")
    except (OSError, ValueError, TypeError) as problem:
        sys.exit(f"{problem}.")
