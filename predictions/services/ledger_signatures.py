"""Signatures of ledger heads: the key that signs them, its rotation, and the verification of all signatures."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction

from predictions.errors import LedgerBroken, LedgerKeyRefused
from predictions.ledger_keys import (
    HEAD_CONTEXT,
    KEY_CONTEXT,
    SigningKey,
    is_signed,
    key_id_of,
    load_key,
    load_or_create_key,
    replace_key,
)
from predictions.models import LedgerHead, LedgerKey

log = structlog.get_logger(__name__)

LOST = "it is missing, although it signed heads; restore it, or replace it with `manage.py ledger_key --rotate`"
UNKNOWN_KEY = "its signature is of a key that is not published"
UNTRUSTED_KEY = "its signature is of a key that the key file does not contain"
BAD_SIGNATURE = "its signature is not valid"


def signing_key(*, now: datetime) -> SigningKey:
    """Return the key that signs heads and publish it; the first call creates it. Raises LedgerKeyRefused."""
    path = key_file()
    if not path.exists() and LedgerKey.objects.exists():
        raise LedgerKeyRefused(path, LOST)
    key = load_or_create_key(path)
    _publish(key, now=now)
    return key


def sign_head(head: LedgerHead, key: SigningKey) -> None:
    """Sign the hash of a sealed head."""
    head.signature = key.sign(HEAD_CONTEXT, head.entry_hash)


@transaction.atomic
def rotate_signing_key(*, now: datetime) -> SigningKey:
    """Replace the signing key and return the new one; the former key endorses it, unless its file was lost.

    Each call replaces the key. Raises LedgerKeyRefused.
    """
    path = key_file()
    former = load_key(path)
    private = Ed25519PrivateKey.generate()
    if former is None:
        new = SigningKey(private, tuple(LedgerKey.objects.order_by("pk").values_list("public_key", flat=True)))
        _publish(new, now=now)
    else:
        _publish(former, now=now)
        new = SigningKey(private, former.public_keys)
        endorsement = former.sign(KEY_CONTEXT, new.public_key)
        _publish(new, now=now, endorsed_by=former.key_id, endorsement=endorsement)
    # The file changes last: an error before leaves key and table as they are.
    replace_key(path, new)
    log.info("ledger_key_rotated", former=former.key_id if former else None, key=new.key_id)
    return new


def verify_signatures(heads: Sequence[LedgerHead]) -> None:
    """Verify the signature of each head with its published key. Raises LedgerBroken.

    Where this process has the key file, the key must be in it: an owner of the database can exchange published keys.
    """
    published = {key.key_id: key for key in LedgerKey.objects.order_by("pk")}
    for key in published.values():
        _verify_key(key, published)
    file = load_key(key_file())
    for head in heads:
        name, used = f"Head of {head.day}", published.get(head.key_id)
        if used is None:
            raise LedgerBroken(name, UNKNOWN_KEY)
        if file is not None and used.public_key not in file.public_keys:
            raise LedgerBroken(name, UNTRUSTED_KEY)
        if not is_signed(HEAD_CONTEXT, head.entry_hash, signature=head.signature, public_key=used.public_key):
            raise LedgerBroken(name, BAD_SIGNATURE)


def key_file() -> Path:
    """Return the path of the file with the private key."""
    path: Path = settings.HINDCAST_LEDGER.key_file
    return path


def _verify_key(key: LedgerKey, published: dict[str, LedgerKey]) -> None:
    name = f"Ledger key {key.key_id}"
    try:
        matches = key_id_of(key.public_key) == key.key_id
    except ValueError:
        matches = False
    if not matches:
        raise LedgerBroken(name, "its id does not match the public key")
    if not key.endorsed_by:
        return
    endorser = published.get(key.endorsed_by)
    if endorser is None or not is_signed(
        KEY_CONTEXT, key.public_key, signature=key.endorsement, public_key=endorser.public_key
    ):
        raise LedgerBroken(name, f"the signature of the former key {key.endorsed_by} is not valid")


def _publish(key: SigningKey, *, now: datetime, endorsed_by: str = "", endorsement: str = "") -> None:
    row = {"public_key": key.public_key, "added_at": now, "endorsed_by": endorsed_by, "endorsement": endorsement}
    LedgerKey.objects.get_or_create(key_id=key.key_id, defaults=row)
