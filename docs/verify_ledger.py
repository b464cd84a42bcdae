"""Verify an exported ledger of forecasts with nothing but Python: python3 verify_ledger.py EXPORT [HEAD]

EXPORT comes from `manage.py export_ledger` or GET /api/v1/ledger/entries, HEAD from GET /api/v1/ledger/head. The hash
of a line is the SHA-256 of the previous hash (64 zeros before the first line), a line feed, and the text in `payload`.
A line changed, removed or moved shows up at its place; lines cut off at the end, or a forged ledger, at the head.
"""

import hashlib
import json
import sys
from pathlib import Path


def verify(export, head=None):  # Returns (verified lines, last hash); raises ValueError for the first fault.
    if head is not None and not (isinstance(head, dict) and isinstance(head.get("count"), int)):
        raise ValueError("The saved head is not a head of a ledger")
    count, previous = 0, "0" * 64
    for count, line in enumerate(export, start=1):
        try:
            entry = json.loads(line)
            stated, follows, payload = entry["entry_hash"], entry["previous_hash"], entry["payload"]
            name = "Line {}, forecast {id} of {symbol}".format(count, **json.loads(payload))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"Line {count} is not a line of an export") from None
        if follows != previous:
            raise ValueError(f"{name}: the line before it is missing or out of order")
        previous = hashlib.sha256(f"{previous}\n{payload}".encode()).hexdigest()
        if stated != previous:
            raise ValueError(f"{name}: its payload does not match its hash")
        if head and count == head["count"] and previous != head.get("head_hash"):
            raise ValueError(f"{name}: the saved head has another hash at this place")
    if head and count < head["count"]:
        raise ValueError(f"The saved head counts {head['count']} forecasts, but the export ends after {count}")
    return count, previous


if __name__ == "__main__":
    try:
        saved = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")) if len(sys.argv) > 2 else None
        with open(*sys.argv[1:2], encoding="utf-8", newline="\n") as lines:
            sys.stdout.write("{} forecasts verified; the last hash is {}.\n".format(*verify(lines, saved)))
    except (OSError, ValueError, TypeError) as problem:
        sys.exit(f"{problem}.")
