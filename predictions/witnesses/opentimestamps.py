"""Witness: an OpenTimestamps calendar, which anchors hashes in the Bitcoin block chain."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from predictions.errors import WitnessFailed
from predictions.signed_head import HeadDocument
from predictions.witnesses.base import TIMEOUT_S

# Format of a detached proof, version 1: magic number, version, SHA-256 as the operation on the file, its digest, and
# the calendar's operations.
MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94"
VERSION, SHA256 = b"\x01", b"\x08"
LARGEST_ANSWER = 10_000


@dataclass(frozen=True, slots=True)
class OpenTimestamps:
    """Requests a timestamp of a head's hash and stores the proof as a file.

    The proof is that of a file with the previous hash, a line feed and the payload, whose SHA-256 is the head's hash.
    The client `ots` completes and verifies it once the calendar has anchored the hash.
    """

    calendar: str
    folder: Path

    @property
    def name(self) -> str:
        return f"opentimestamps {self.calendar}"

    def publish(self, head: HeadDocument) -> str:
        """Store the proof of the head beside the file that it proves."""
        digest = bytes.fromhex(head.signed.entry_hash)
        timestamp = self._stamp(digest)
        stem = f"{head.day}-{urlsplit(self.calendar).hostname}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / stem).write_text(f"{head.signed.previous_hash}\n{head.signed.payload}", encoding="utf-8")
            proof = self.folder / f"{stem}.ots"
            proof.write_bytes(MAGIC + VERSION + SHA256 + digest + timestamp)
        except OSError as error:
            raise WitnessFailed(self.name, f"{self.folder} cannot be written ({error.strerror})") from error
        return str(proof)

    def _stamp(self, digest: bytes) -> bytes:
        headers = {"Accept": "application/vnd.opentimestamps.v1", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = httpx.post(f"{self.calendar}/digest", content=digest, headers=headers, timeout=TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WitnessFailed(self.name, type(error).__name__) from error
        if answer.status_code != httpx.codes.OK:
            raise WitnessFailed(self.name, f"it answered {answer.status_code}")
        if not 0 < len(answer.content) <= LARGEST_ANSWER:
            raise WitnessFailed(self.name, f"it answered {len(answer.content)} bytes")
        return answer.content
