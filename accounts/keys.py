"""Text of API keys: `hc_`, 32 random characters and a 6-character checksum, which detects typos without a look-up."""

import hmac
import secrets
import string
import zlib

from accounts.errors import InvalidCredentials

KEY_PREFIX = "hc_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 32
CHECKSUM_CHARACTERS = 6
KEY_CHARACTERS = len(KEY_PREFIX) + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS
DISPLAY_CHARACTERS = len(KEY_PREFIX) + 8
_ALPHABET = frozenset(ALPHABET)


def generate_key() -> str:
    """Return a new key with 190 bits of entropy."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{KEY_PREFIX}{body}{_checksum(body)}"


def validated_key(text: str) -> str:
    """Return the key if its format and checksum are valid. Raises InvalidCredentials."""
    body, checksum = text[len(KEY_PREFIX) : -CHECKSUM_CHARACTERS], text[-CHECKSUM_CHARACTERS:]
    if len(text) != KEY_CHARACTERS or not text.startswith(KEY_PREFIX) or not _ALPHABET.issuperset(body + checksum):
        raise InvalidCredentials("malformed-key")
    if checksum != _checksum(body):
        raise InvalidCredentials("malformed-key")
    return text


def display_prefix(key: str) -> str:
    """Return the first characters, which identify a key to its owner."""
    return key[:DISPLAY_CHARACTERS]


def digest_of(key: str, pepper: str) -> str:
    """Return the stored digest: HMAC-SHA256 in hexadecimal, useless without the server's pepper."""
    return hmac.digest(pepper.encode(), key.encode(), "sha256").hex()


def _checksum(body: str) -> str:
    """Return the CRC-32 of the body in base 62, most significant digit first."""
    rest, digits = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
