"""The file of the signing key: private, created once, and refused when it is not as expected."""

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from predictions.errors import LedgerKeyRefused
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

CALLERS = 6
# RFC 8032, section 7.1, test 1.
SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "ledger_key"


def test_the_first_caller_creates_a_private_file_and_later_ones_read_it(path: Path) -> None:
    assert load_key(path) is None
    key = load_or_create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path).public_key == key.public_key
    assert list(path.parent.iterdir()) == [path]


def test_concurrent_callers_get_the_same_key(tmp_path: Path) -> None:
    barrier = Barrier(CALLERS)

    def create(path: Path) -> str:
        barrier.wait()
        return load_or_create_key(path).public_key

    with ThreadPoolExecutor(CALLERS) as pool:
        for number in range(20):
            path = tmp_path / str(number)
            assert len(set(pool.map(create, [path] * CALLERS))) == 1
    assert len(list(tmp_path.iterdir())) == 20


def test_the_public_key_matches_the_reference() -> None:
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET)))
    assert key.public_key == PUBLIC
    assert key.key_id == hashlib.sha256(bytes.fromhex(PUBLIC)).hexdigest()[:16]


def test_a_signature_is_valid_for_one_text_one_purpose_and_one_key() -> None:
    key, other = (SigningKey(Ed25519PrivateKey.generate()) for _ in range(2))
    signature = key.sign(HEAD_CONTEXT, "a" * 64)
    assert is_signed(HEAD_CONTEXT, "a" * 64, signature=signature, public_key=key.public_key)
    assert not is_signed(HEAD_CONTEXT, "b" * 64, signature=signature, public_key=key.public_key)
    assert not is_signed(KEY_CONTEXT, "a" * 64, signature=signature, public_key=key.public_key)
    assert not is_signed(HEAD_CONTEXT, "a" * 64, signature=signature, public_key=other.public_key)
    for malformed in ("", "zz", signature[:-2]):
        assert not is_signed(HEAD_CONTEXT, "a" * 64, signature=malformed, public_key=key.public_key)
    assert not is_signed(HEAD_CONTEXT, "a" * 64, signature=signature, public_key="12")


def test_a_replaced_key_stays_in_the_file(path: Path) -> None:
    former = load_or_create_key(path)
    for _ in range(2):
        replace_key(path, SigningKey(Ed25519PrivateKey.generate(), load_or_create_key(path).public_keys))
    key = load_key(path)
    assert key is not None
    assert (key.public_keys[0], len(set(key.public_keys))) == (former.public_key, 3)
    assert key.key_id == key_id_of(key.public_keys[-1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(LedgerKeyRefused) as refused:
        load_or_create_key(path)
    assert str(refused.value) == (
        f"The ledger key {path} is refused: its mode is {mode:04o}, so that other users may read it; set it to 0600."
    )


def other_kind_of_key() -> bytes:
    """A key of another algorithm."""
    return generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("content", [b"", b"key", b"\xff\xfe", other_kind_of_key(), b"-----BEGIN PRIVATE KEY-----\nA"])
def test_a_file_that_is_no_key_is_refused_and_never_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(LedgerKeyRefused, match=r"it does not hold an Ed25519 key in PEM; restore it from a backup\.$"):
        load_or_create_key(path)
    assert path.read_bytes() == content


def test_a_corrupt_retired_key_is_refused(path: Path) -> None:
    key = load_or_create_key(path)
    replace_key(path, SigningKey(Ed25519PrivateKey.generate(), key.public_keys))
    path.write_bytes(path.read_bytes().replace(b"PUBLIC KEY-----\nM", b"PUBLIC KEY-----\n?"))
    with pytest.raises(LedgerKeyRefused, match="does not hold"):
        load_key(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerKeyRefused, match=r"it cannot be (read|written) \(Not a directory\)"):
        load_or_create_key(tmp_path / "file" / "ledger_key")
