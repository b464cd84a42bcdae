"""A signed ledger head as it leaves the database, and the verification of one that another deployment sent."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from predictions.errors import HeadRefused
from predictions.ledger_keys import HEAD_CONTEXT, is_signed, key_id_of
from predictions.ledger_payload import chain_hash, instant_text, parse_payload
from predictions.models import LedgerHead

LONGEST_PAYLOAD = 4096
HASH_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The parts of a head that prove it: anyone can verify them with the public key alone."""

    public_key: str
    previous_hash: str
    payload: str
    signature: str

    @property
    def entry_hash(self) -> str:
        return chain_hash(self.previous_hash, self.payload)


@dataclass(frozen=True, slots=True)
class HeadDocument:
    """A head of this deployment for witnesses: its parts, and all of its fields as one line of JSON."""

    day: date
    signed: SignedHead
    line: str


def day_head(head: LedgerHead) -> dict[str, Any]:
    """Return a daily head as the API shows it and as witnesses publish it."""
    return {
        "day": head.day.isoformat(),
        "count": head.count,
        "last_forecast": head.last_forecast_id,
        "head_hash": head.head_hash,
        "outcomes": head.outcomes,
        "last_outcome": head.last_outcome,
        "outcomes_hash": head.outcomes_hash,
        "recorded_at": instant_text(head.recorded_at),
        "key_id": head.key_id,
        "payload": head.payload,
        "previous_hash": head.previous_hash,
        "entry_hash": head.entry_hash,
        "signature": head.signature,
    }


def head_document(head: LedgerHead, *, public_key: str) -> HeadDocument:
    """Return a head with its public key, ready for witnesses."""
    line = json.dumps({**day_head(head), "public_key": public_key}, separators=(",", ":"))
    return HeadDocument(head.day, SignedHead(public_key, head.previous_hash, head.payload, head.signature), line)


def verify_received(signed: SignedHead, *, trusted: Collection[str]) -> dict[str, Any]:
    """Return the fields of a head that a trusted key signed. Raises HeadRefused."""
    if signed.public_key not in trusted:
        raise HeadRefused("its public key is not one that this deployment trusts")
    if not is_signed(HEAD_CONTEXT, signed.entry_hash, signature=signed.signature, public_key=signed.public_key):
        raise HeadRefused("its signature is not valid")
    try:
        fields = parse_payload(signed.payload)
        day, count, head_hash = date.fromisoformat(fields["day"]), fields["count"], fields["head_hash"]
        is_complete = fields["key_id"] == key_id_of(signed.public_key) and len(head_hash) == HASH_LENGTH
    except (ValueError, KeyError, TypeError):
        is_complete = False
    if not is_complete or type(count) is not int or not 0 < count < 2**63:
        raise HeadRefused("its payload is not that of a ledger head")
    return {"day": day, "count": count, "head_hash": head_hash}
