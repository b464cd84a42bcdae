"""Verify an exported ledger of forecasts with nothing but Python: python3 verify_ledger.py EXPORT [HEAD]

EXPORT comes from `manage.py export_ledger` or GET /api/v1/ledger/entries, HEAD from GET /api/v1/ledger/head. The hash
of a line is the SHA-256 of the hash before it (64 zeros before the first), a line feed, and the text of `said`. A line
changed, removed or moved shows up at its place; lines cut off at the end, or a ledger made up anew, at the head.
"""

import hashlib
import json
import re
import sys
from pathlib import Path


def verify(export, head=None):  # Returns (lines that hold, last hash); ValueError tells of the first that does not.
    if head is not None and not (isinstance(head, dict) and isinstance(head.get("count"), int)):
        raise ValueError("What you kept is no head of a ledger")
    count, previous = 0, "0" * 64
    for count, line in enumerate(export, start=1):
        found = re.fullmatch(r'{"previous_hash":"(.{64})","entry_hash":"(.{64})","said":({.+})}\n', line)
        if not found:
            raise ValueError(f"Line {count} is not a line of an export")
        fault = found[1] != previous and "the line before it is missing or was put elsewhere"
        previous = hashlib.sha256(f"{previous}\n{found[3]}".encode()).hexdigest()
        fault = fault or (found[2] != previous and "what it says is not what was sealed")
        if fault or (head and count == head["count"] and previous != head.get("head_hash")):
            name = "Line {}, forecast {id} of {symbol}".format(count, **json.loads(found[3]))
            raise ValueError(f"{name}: {fault or 'your head names another forecast at this place'}")
    if head and count < head["count"]:
        raise ValueError(f"Your head counts {head['count']} forecasts, and the export ends after {count}")
    return count, previous


if __name__ == "__main__":
    try:
        kept = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")) if len(sys.argv) > 2 else None
        with open(*sys.argv[1:2], encoding="utf-8", newline="\n") as lines:
            sys.stdout.write("{} forecasts hold; the last hash is {}.\n".format(*verify(lines, kept)))
    except (OSError, ValueError, TypeError) as problem:
        sys.exit(f"{problem}.")
