"""Ed25519 keys that sign ledger heads: the private key's file, its rotation, and verification.

The file holds the private key in PEM, then the public keys that it replaced. It is outside the database, so that an
owner of the database can neither sign heads nor exchange a key.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from predictions.errors import LedgerKeyRefused

# A signature of one purpose is not valid for another.
HEAD_CONTEXT = "hindcast ledger head"
KEY_CONTEXT = "hindcast ledger key"
PEM_BEGIN = "-----BEGIN"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
LONGEST_FILE = 2**16
KEY_ID_LENGTH = 16


def key_id_of(public_key: str) -> str:
    """Return the id of a public key: the first 16 digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:KEY_ID_LENGTH]


def is_signed(context: str, text: str, *, signature: str, public_key: str) -> bool:
    """Return whether the signature of the text is valid; both arguments are in hexadecimal digits."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), _message(context, text))
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class SigningKey:
    """The private key in use, and the public keys that it replaced, oldest first."""

    private: Ed25519PrivateKey
    retired: tuple[str, ...] = ()

    @cached_property
    def public_key(self) -> str:
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def key_id(self) -> str:
        return key_id_of(self.public_key)

    @property
    def public_keys(self) -> tuple[str, ...]:
        """All public keys, the one in use last."""
        return (*self.retired, self.public_key)

    def sign(self, context: str, text: str) -> str:
        """Return the signature of a text for one purpose, in hexadecimal digits."""
        return self.private.sign(_message(context, text)).hex()

    def as_pem(self) -> bytes:
        """Return the content of the key file."""
        private = self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        retired = (
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            for key in self.retired
        )
        return private + b"".join(retired)


def load_or_create_key(path: Path) -> SigningKey:
    """Return the key of this file; the first caller creates it, and concurrent ones get the same key.

    Raises LedgerKeyRefused for a file that others may read, that is no key, or that cannot be created.
    """
    key = load_key(path)
    if key is not None:
        return key
    with _written(path, SigningKey(Ed25519PrivateKey.generate())) as unfinished, suppress(FileExistsError):
        # Unlike a rename, a link never replaces the file of another process.
        os.link(unfinished, path)
    key = load_key(path)
    if key is None:
        raise LedgerKeyRefused(path, "it cannot be created")
    return key


def load_key(path: Path) -> SigningKey | None:
    """Return the key of this file, or None if there is no file. Raises LedgerKeyRefused."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(LONGEST_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerKeyRefused(path, f"it cannot be read ({error.strerror})") from error
    if status.st_mode & OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise LedgerKeyRefused(path, f"its mode is {mode:04o}, so that other users may read it; set it to 0600")
    try:
        return _parsed(content)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LedgerKeyRefused(path, "it does not hold an Ed25519 key in PEM; restore it from a backup") from error


def replace_key(path: Path, key: SigningKey) -> None:
    """Write the file of this key atomically over a former one. Raises LedgerKeyRefused."""
    with _written(path, key) as unfinished:
        os.replace(unfinished, path)


def _parsed(content: bytes) -> SigningKey:
    first, *rest = (PEM_BEGIN + block for block in content.decode("ascii").split(PEM_BEGIN)[1:])
    private = serialization.load_pem_private_key(first.encode(), password=None)
    retired = [serialization.load_pem_public_key(block.encode()) for block in rest]
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError("not an Ed25519 key")
    return SigningKey(private, tuple(_hex(key) for key in retired))


def _hex(key: object) -> str:
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("not an Ed25519 key")
    return key.public_bytes_raw().hex()


@contextmanager
def _written(path: Path, key: SigningKey) -> Iterator[str]:
    """Yield a complete file of mode 0600 beside `path`, and delete it if it is still there. Raises LedgerKeyRefused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
            try:
                file.write(key.as_pem())
                file.flush()
                os.fsync(file.fileno())
                yield file.name
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(file.name)
    except OSError as error:
        raise LedgerKeyRefused(path, f"it cannot be written ({error.strerror})") from error


def _message(context: str, text: str) -> bytes:
    return f"{context}\n{text}".encode()
