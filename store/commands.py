"""Redis commands that are packed once, and the login of a connection."""

import ssl
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """The words of a command, for clients that route it by its key, and its bytes in the protocol of Redis."""

    words: tuple[bytes | str | int, ...]
    packed: bytes

    @classmethod
    def of(cls, *words: bytes | str | int) -> "Command":
        """Return the command with these words."""
        return cls(words, packed_command(*words))


def packed_command(*words: bytes | str | int) -> bytes:
    """Return a command in the protocol of Redis."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n%b" % (len(words), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]))


def login_commands(address: dict[str, Any]) -> list[bytes]:
    """Return the commands that authenticate and select the database, by redis-py's options of a URL."""
    commands: list[bytes] = []
    if password := address.get("password"):
        commands.append(packed_command("AUTH", *filter(None, [address.get("username"), password])))
    if database := address.get("db"):
        commands.append(packed_command("SELECT", int(database)))
    return commands


def tls_context(address: dict[str, Any]) -> ssl.SSLContext | None:
    """Return the TLS settings by redis-py's options; None for a plain connection."""
    if "connection_class" not in address:
        return None
    context = ssl.create_default_context(cafile=address.get("ssl_ca_certs"))
    if address.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
