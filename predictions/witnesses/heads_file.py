"""Witness: a file to which heads are appended, one JSON object per line."""

import os
from dataclasses import dataclass
from pathlib import Path

from predictions.errors import WitnessFailed
from predictions.signed_head import HeadDocument


@dataclass(frozen=True, slots=True)
class HeadsFile:
    """Appends heads to a file, which backups and other programs can copy."""

    path: Path
    name: str = "file"

    def publish(self, head: HeadDocument) -> str:
        """Append the head unless the file has it."""
        try:
            append_line(self.path, head.line)
        except OSError as error:
            raise WitnessFailed(self.name, f"{self.path} cannot be written ({error.strerror})") from error
        return str(self.path)


def append_line(path: Path, line: str) -> None:
    """Append a line to a file that does not have it, durably and in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        file.seek(0)
        content = file.read()
        if line.encode() in content.splitlines():
            return
        # A line that an interrupted write left unfinished stays on its own.
        separator = b"" if not content or content.endswith(b"\n") else b"\n"
        file.write(separator + line.encode() + b"\n")
        os.fsync(file.fileno())
