"""Signed heads: the signature covers the head, keys can be rotated, and forged heads are named."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from predictions.errors import LedgerKeyRefused
from predictions.ledger_keys import HEAD_CONTEXT, KEY_CONTEXT, SigningKey, is_signed, load_key, replace_key
from predictions.models import Forecast, LedgerHead, LedgerKey
from predictions.services.ledger import record_head, seal_head
from predictions.services.ledger_signatures import rotate_signing_key, sign_head
from predictions.services.verification import verify_ledger
from predictions.tests.factories import NOW, at, forecasts, stock
from predictions.tests.tampering import alter, fault
from predictions.tests.test_schema import validator

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

TOMORROW = NOW + timedelta(days=1)


@pytest.fixture(autouse=True)
def key_path(settings: Settings, tmp_path: Path) -> Path:
    """A key file of its own for each test."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1000)
    settings.HINDCAST_LEDGER = replace(settings.HINDCAST_LEDGER, key_file=tmp_path / "ledger_key")
    return tmp_path / "ledger_key"


@pytest.fixture
def head(rows: list[Forecast]) -> LedgerHead:
    recorded, _ = record_head(clock=at(NOW))
    assert recorded is not None
    return recorded


def used_key(path: Path) -> SigningKey:
    key = load_key(path)
    assert key is not None
    return key


def test_a_head_is_signed_by_the_key_of_the_file(head: LedgerHead, key_path: Path) -> None:
    key = used_key(key_path)
    assert is_signed(HEAD_CONTEXT, head.entry_hash, signature=head.signature, public_key=key.public_key)
    assert head.key_id == key.key_id
    assert json.loads(head.payload)["key_id"] == key.key_id
    assert "signature" not in json.loads(head.payload)
    assert list(LedgerKey.objects.values_list("key_id", "public_key")) == [(key.key_id, key.public_key)]


def test_a_key_that_others_may_read_signs_nothing(rows: list[Forecast], key_path: Path) -> None:
    key_path.touch(mode=0o644)
    with pytest.raises(LedgerKeyRefused, match="its mode is 0644"):
        record_head(clock=at(NOW))
    assert not LedgerHead.objects.exists()


def test_a_lost_key_is_not_replaced_silently(head: LedgerHead, key_path: Path) -> None:
    former = used_key(key_path)
    key_path.unlink()
    with pytest.raises(LedgerKeyRefused, match="it is missing, although it signed heads"):
        record_head(clock=at(TOMORROW))
    key = rotate_signing_key(now=TOMORROW)
    assert key.retired == (former.public_key,)
    assert LedgerKey.objects.get(key_id=key.key_id).endorsed_by == ""
    assert record_head(clock=at(TOMORROW))[1]
    assert verify_ledger().heads == 2


def test_a_rotated_key_signs_new_heads_and_is_endorsed(head: LedgerHead, key_path: Path) -> None:
    former = used_key(key_path)
    new = rotate_signing_key(now=TOMORROW)
    second, _ = record_head(clock=at(TOMORROW))
    assert second is not None
    assert (head.key_id, second.key_id) == (former.key_id, new.key_id)
    row = LedgerKey.objects.get(key_id=new.key_id)
    assert row.endorsed_by == former.key_id
    assert is_signed(KEY_CONTEXT, new.public_key, signature=row.endorsement, public_key=former.public_key)
    assert verify_ledger().heads == 2


def test_a_rotation_that_fails_leaves_the_key(
    head: LedgerHead, key_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, key: SigningKey) -> None:
        raise LedgerKeyRefused(path, "the disk is full")

    monkeypatch.setattr("predictions.services.ledger_signatures.replace_key", refuse)
    with pytest.raises(LedgerKeyRefused, match="the disk is full"):
        rotate_signing_key(now=TOMORROW)
    assert LedgerKey.objects.get().key_id == used_key(key_path).key_id == head.key_id


@pytest.mark.parametrize("signature", ["", "00" * 64])
def test_a_missing_or_foreign_signature_is_named(head: LedgerHead, signature: str) -> None:
    alter(f"UPDATE predictions_ledgerhead SET signature = '{signature}'")
    assert str(fault()) == "Head of 2023-09-21: its signature is not valid."


def test_a_head_forged_with_all_its_hashes_has_no_valid_signature(head: LedgerHead) -> None:
    """The owner of the database can recompute every hash, but has no key."""
    head.outcomes_hash = "1" * 64
    seal_head(head)
    alter(
        f"UPDATE predictions_ledgerhead SET outcomes_hash = '{head.outcomes_hash}', payload = '{head.payload}', "
        f"entry_hash = '{head.entry_hash}'"
    )
    assert str(fault()) == "Head of 2023-09-21: its signature is not valid."


def test_a_head_signed_by_a_key_that_only_the_database_knows_is_named(head: LedgerHead) -> None:
    """The owner of the database can publish a key of their own, but not put it into the file."""
    forged = SigningKey(Ed25519PrivateKey.generate())
    LedgerKey.objects.create(key_id=forged.key_id, public_key=forged.public_key, added_at=NOW)
    head.key_id = forged.key_id
    seal_head(head)
    sign_head(head, forged)
    alter(
        f"UPDATE predictions_ledgerhead SET key_id = '{head.key_id}', payload = '{head.payload}', "
        f"entry_hash = '{head.entry_hash}', signature = '{head.signature}'"
    )
    assert str(fault()) == "Head of 2023-09-21: its signature is of a key that the key file does not contain."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE predictions_ledgerkey SET public_key = repeat('00', 32)", "its id does not match the public key"),
        ("UPDATE predictions_ledgerkey SET public_key = 'none'", "its id does not match the public key"),
        ("UPDATE predictions_ledgerkey SET endorsement = repeat('00', 64)", "is not valid"),
        ("DELETE FROM predictions_ledgerkey WHERE endorsed_by = ''", "is not valid"),
    ],
)
def test_altered_keys_are_named(head: LedgerHead, change: str, reason: str) -> None:
    rotate_signing_key(now=TOMORROW)
    assert verify_ledger().heads == 1
    alter(change)
    assert fault().subject.startswith("Ledger key ")
    assert fault().reason.endswith(reason)


def test_a_head_without_a_published_key_is_named(head: LedgerHead) -> None:
    alter("DELETE FROM predictions_ledgerkey")
    assert str(fault()) == "Head of 2023-09-21: its signature is of a key that is not published."


def test_a_process_without_the_file_verifies_with_the_published_keys(head: LedgerHead, key_path: Path) -> None:
    key_path.unlink()
    assert verify_ledger().heads == 1


def test_public_keys_are_published_newest_first(client: Client, rows: list[Forecast]) -> None:
    path = "/api/v1/ledger/key"
    assert client.get(path).json() == {"key_id": None, "public_key": None, "keys": []}
    record_head(clock=at(NOW))
    former = LedgerKey.objects.get()
    new = rotate_signing_key(now=TOMORROW)
    answer = client.get(path)
    received = answer.json()
    assert (received["key_id"], received["public_key"]) == (new.key_id, new.public_key)
    assert [key["key_id"] for key in received["keys"]] == [new.key_id, former.key_id]
    assert [key["endorsed_by"] for key in received["keys"]] == [former.key_id, None]
    assert client.get(path, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    schema: dict[str, Any] = client.get("/api/schema?format=json").json()
    validator(schema, schema["paths"][path]["get"], "200").validate(received)


def test_the_command_shows_and_rotates_the_key(key_path: Path) -> None:
    first, second = StringIO(), StringIO()
    call_command("ledger_key", stdout=first)
    former = used_key(key_path)
    assert former.public_key in first.getvalue()
    call_command("ledger_key", rotate=True, stdout=second)
    new = used_key(key_path)
    assert new.retired == (former.public_key,)
    assert new.public_key in second.getvalue()
    key_path.chmod(0o644)
    with pytest.raises(CommandError, match="its mode is 0644"):
        call_command("ledger_key")


class Verifier:
    """The independent verifier, with files of a ledger as its readers save them."""

    def __init__(self, folder: Path, client: Client) -> None:
        self.export, self.heads, self.keys = folder / "ledger.jsonl", folder / "heads.json", folder / "keys.json"
        call_command("export_ledger", str(self.export), stdout=StringIO())
        self.heads.write_bytes(client.get("/api/v1/ledger/heads").content)
        self.keys.write_bytes(client.get("/api/v1/ledger/key").content)

    def output(self, *paths: Path, isolated: bool = False) -> tuple[int, str]:
        """Exit code and last line; isolated, no package can be imported."""
        flags = ("-I", "-S") if isolated else ("-I",)
        command = [sys.executable, *flags, "docs/verify_ledger.py", *map(str, paths or self.all)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()[-1]

    @property
    def all(self) -> tuple[Path, ...]:
        return self.export, self.heads, self.keys


@pytest.fixture
def verifier(head: LedgerHead, tmp_path: Path, client: Client) -> Verifier:
    """The verifier for a ledger with two heads of different keys."""
    rotate_signing_key(now=TOMORROW)
    forecasts([stock("MSFT")], kind="late")
    record_head(clock=at(TOMORROW))
    return Verifier(tmp_path, client)


def test_signatures_are_verified_where_the_package_is_installed(verifier: Verifier) -> None:
    assert verifier.output() == (0, "Verified signatures: 2.")
    assert verifier.output(isolated=True) == (
        0, "Signatures were not verified: the Python package `cryptography` is not installed.",
    )  # fmt: skip
    assert verifier.output(verifier.export, verifier.heads) == (
        0, "Signatures were not verified: name a saved response of GET /api/v1/ledger/key as KEYS.",
    )  # fmt: skip


def test_heads_are_read_from_lines_as_they_are_published(verifier: Verifier) -> None:
    heads = json.loads(verifier.heads.read_text())["heads"]
    verifier.heads.write_text("".join(json.dumps(head) + "\n" for head in heads))
    assert verifier.output() == (0, "Verified signatures: 2.")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"count": 4}, "Line 4, forecast {}: the saved head has another hash at this place."),
        ({"outcomes": 1}, "Head of 2023-09-21: its fields differ from its payload."),
        ({"payload": '{"day":"2023-09-21"}'}, "Head of 2023-09-21: its payload does not match its hash."),
        ({"payload": None}, "Head of 2023-09-21 is not a head of a ledger."),
        ({"signature": "00" * 64}, "Head of 2023-09-21: no published key made its signature."),
        ({"key_id": "0" * 16}, "Head of 2023-09-21: its fields differ from its payload."),
    ],
)
def test_a_forged_head_is_named(verifier: Verifier, changes: dict[str, Any], complaint: str) -> None:
    document = json.loads(verifier.heads.read_text())
    document["heads"][-1] |= changes
    verifier.heads.write_text(json.dumps(document))
    fourth = Forecast.objects.order_by("pk")[3]
    assert verifier.output() == (1, complaint.format(f"{fourth.pk} of {fourth.symbol}"))


def test_a_key_that_its_predecessor_did_not_sign_is_named(verifier: Verifier) -> None:
    document = json.loads(verifier.keys.read_text())
    newest = document["keys"][0]
    for changes, complaint in (
        ({"endorsement": "00" * 64}, f"the former key {newest['endorsed_by']} did not sign it."),
        ({"public_key": "00" * 32}, "its id does not match it."),
    ):
        verifier.keys.write_text(json.dumps({**document, "keys": [{**newest, **changes}, *document["keys"][1:]]}))
        assert verifier.output() == (1, f"Key {newest['key_id']}: {complaint}")
    verifier.keys.write_text("{}")
    assert verifier.output() == (1, "KEYS or HEADS is not a response of this API.")


def test_a_replaced_file_is_never_partly_written(key_path: Path) -> None:
    replace_key(key_path, SigningKey(Ed25519PrivateKey.generate()))
    assert [path.name for path in key_path.parent.iterdir()] == ["ledger_key"]
