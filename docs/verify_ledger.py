"""Verify an exported ledger of forecasts with nothing but Python: python3 verify_ledger.py EXPORT [HEAD]

EXPORT comes from `manage.py export_ledger` or GET /api/v1/ledger/entries, HEAD from GET /api/v1/ledger/head. The hash
of a line is the SHA-256 of the hash before it (64 zeros before the first), a line feed, and the text of `said`. A line
changed, removed or moved shows up at its place; lines cut off at the end, or a ledger made up anew, at the head.
"""

import hashlib
import json
import sys
from pathlib import Path


def verify(export, head=None):
    """Return (lines that hold, last hash); raise ValueError with the first line that does not."""
    count, previous = 0, "0" * 64
    for count, line in enumerate(export, start=1):
        entry = json.loads(line)
        text = line[line.index('"said":') + len('"said":') : line.rindex("}")]
        name = f"Line {count}, forecast {entry['said']['id']} of {entry['said']['symbol']}"
        if entry["previous_hash"] != previous:
            raise ValueError(f"{name}: the line before it is missing or was put elsewhere")
        previous = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
        if entry["entry_hash"] != previous:
            raise ValueError(f"{name}: what it says is not what was sealed")
        if head and count == head["count"] and previous != head["head_hash"]:
            raise ValueError(f"{name}: your head names another forecast at this place")
    if head and count < head["count"]:
        raise ValueError(f"Your head counts {head['count']} forecasts, and the export ends after {count}")
    return count, previous


if __name__ == "__main__":
    try:
        kept = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")) if len(sys.argv) > 2 else None
        with open(sys.argv[1], encoding="utf-8", newline="\n") as lines:
            sys.stdout.write("{} forecasts hold; the last hash is {}.\n".format(*verify(lines, kept)))
    except (OSError, ValueError) as problem:
        sys.exit(f"{problem}.")
