"""API keys as text: `hc_`, 32 random characters, 6 of a checksum. Typos are refused without looking anything up."""

import secrets
import string
import zlib
from functools import lru_cache
from hashlib import sha256
from typing import Any

from accounts.errors import InvalidCredentials

MARK = "hc_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 32
CHECK_CHARACTERS = 6
KEY_CHARACTERS = len(MARK) + RANDOM_CHARACTERS + CHECK_CHARACTERS
SHOWN_CHARACTERS = len(MARK) + 8
BLOCK_BYTES = 64
_ALPHABET = frozenset(ALPHABET)


def generate_key() -> str:
    """A new key with 190 bits of chance."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{MARK}{body}{_checksum(body)}"


def validated_key(text: str) -> str:
    """The key, if it can be one. Raises InvalidCredentials for anything else."""
    body, check = text[len(MARK) : -CHECK_CHARACTERS], text[-CHECK_CHARACTERS:]
    if len(text) != KEY_CHARACTERS or not text.startswith(MARK) or not _ALPHABET.issuperset(text[len(MARK) :]):
        raise InvalidCredentials("malformed-key")
    if check != _checksum(body):
        raise InvalidCredentials("malformed-key")
    return text


def display_prefix(key: str) -> str:
    """The first characters, by which people tell their keys apart."""
    return key[:SHOWN_CHARACTERS]


def digest_of(key: str, secret: str) -> str:
    """HMAC-SHA256 in hexadecimal: what is stored, worth nothing without the server's secret."""
    inner, outer = (started.copy() for started in _started(secret))
    inner.update(key.encode())
    outer.update(inner.digest())
    return str(outer.hexdigest())


@lru_cache(maxsize=4)
def _started(secret: str) -> tuple[Any, Any]:
    """The two hashes of RFC 2104 with the secret read in, which takes longer than all the rest."""
    block = secret.encode()
    block = (sha256(block).digest() if len(block) > BLOCK_BYTES else block).ljust(BLOCK_BYTES, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in block)), sha256(bytes(byte ^ 0x5C for byte in block))


def _checksum(body: str) -> str:
    """CRC-32 of the body, base 62, most significant first."""
    rest, signs = zlib.crc32(body.encode()), []
    for _ in range(CHECK_CHARACTERS):
        rest, sign = divmod(rest, len(ALPHABET))
        signs.append(ALPHABET[sign])
    return "".join(reversed(signs))
