"""Heads of other deployments: stored when a trusted key signed them, and shown to everyone."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from pytest_django import Settings

from predictions.ledger_keys import HEAD_CONTEXT, SigningKey
from predictions.ledger_payload import GENESIS, canonical_json, chain_hash
from predictions.models import WitnessedHead
from predictions.signed_head import SignedHead

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

PATH = "/api/v1/ledger/witnessed"
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))


@pytest.fixture(autouse=True)
def _trusting(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1000)
    settings.HINDCAST_LEDGER = replace(settings.HINDCAST_LEDGER, trusted_keys=(KEY.public_key,))


def signed(key: SigningKey = KEY, **fields: Any) -> SignedHead:
    """A head of another deployment."""
    whole = {"_schema": 1, "day": "2023-09-21", "count": 5, "head_hash": "ab" * 32, "key_id": key.key_id} | fields
    payload = canonical_json(whole)
    return SignedHead(key.public_key, GENESIS, payload, key.sign(HEAD_CONTEXT, chain_hash(GENESIS, payload)))


def post(client: Client, body: Any) -> Any:
    return client.post(PATH, data=json.dumps(body), content_type="application/json")


def test_a_head_of_a_trusted_key_is_stored_once_and_shown(client: Client) -> None:
    head = signed()
    first, second = post(client, asdict(head)), post(client, asdict(head))
    assert (first.status_code, second.status_code) == (201, 200)
    stored = WitnessedHead.objects.get()
    assert (stored.day.isoformat(), stored.count, stored.head_hash) == ("2023-09-21", 5, "ab" * 32)
    expected = {**asdict(head), "entry_hash": head.entry_hash, "day": "2023-09-21", "count": 5, "head_hash": "ab" * 32}
    (shown,) = client.get(PATH).json()["heads"]
    assert {name: shown[name] for name in expected} == expected
    assert first.json() == second.json() == shown


def test_two_heads_of_one_day_are_both_stored_as_evidence(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    post(client, asdict(signed()))
    assert post(client, asdict(signed(head_hash="cd" * 32))).status_code == 201
    assert len(client.get(PATH).json()["heads"]) == 2
    assert "witnessed_heads_differ" in caplog.text


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (signed(SigningKey(Ed25519PrivateKey.from_private_bytes(b"o" * 32))), "its public key is not one"),
        (replace(signed(), payload=signed(count=6).payload), "its signature is not valid"),
        (replace(signed(), previous_hash="1" * 64), "its signature is not valid"),
        (signed(key_id="0" * 16), "its payload is not that of a ledger head"),
        (signed(count="5"), "its payload is not that of a ledger head"),
        (signed(count=0), "its payload is not that of a ledger head"),
        (signed(day="yesterday"), "its payload is not that of a ledger head"),
        (signed(head_hash="ab"), "its payload is not that of a ledger head"),
        (signed(_schema=99), "its payload is not that of a ledger head"),
    ],
)
def test_a_head_that_proves_nothing_is_refused(client: Client, head: SignedHead, reason: str) -> None:
    answer = post(client, asdict(head))
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/problems#head-refused")
    assert answer.json()["reason"].startswith(reason)
    assert not WitnessedHead.objects.exists()


@pytest.mark.parametrize(
    "change", [{"signature": "00"}, {"public_key": "no"}, {"payload": "x" * 5000}, {"more": 1}, {"previous_hash": None}]
)
def test_a_malformed_body_is_refused(client: Client, change: dict[str, Any]) -> None:
    answer = post(client, {**asdict(signed()), **change})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(change))


def test_a_deployment_that_trusts_no_key_is_no_witness(client: Client, settings: Settings) -> None:
    settings.HINDCAST_LEDGER = replace(settings.HINDCAST_LEDGER, trusted_keys=())
    assert post(client, asdict(signed())).status_code == 404
    assert client.get(PATH).status_code == 404
    assert not WitnessedHead.objects.exists()
