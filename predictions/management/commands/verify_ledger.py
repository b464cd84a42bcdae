"""`manage.py verify_ledger`: recompute the whole ledger and name the first alteration."""

import json
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.management.arguments import BAD_ARGUMENTS
from mlops.scorecard import counted
from predictions.errors import LedgerBroken
from predictions.services.verification import SavedHead, check_ledger

HASH = re.compile(r"[0-9a-f]{64}")


class Command(BaseCommand):
    help = (
        "Recompute every hash of the ledger (forecasts, their inputs, the daily heads), compare all columns with the "
        "hashed payloads, and check that outcomes follow from forecasts and stored prices, that the sums of the record "
        "follow from outcomes, and that the append-only triggers are on. Exits with 0 if the ledger is intact, 1 if it "
        "was altered, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", type=Path, metavar="FILE", help="a head that you saved from GET /api/v1/ledger/head"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        saved = None if options["head"] is None else _saved_head(options["head"])
        try:
            verified = check_ledger(clock=clock.now, saved=saved)
        except LedgerBroken as error:
            raise CommandError(str(error)) from error
        forecasts, heads = counted(verified.forecasts, "forecast"), counted(verified.heads, "daily head")
        self.stdout.write(
            f"Verified {forecasts}, {heads}, {counted(verified.inputs, 'input block')}: all intact. "
            f"Head: {verified.head_hash}."
        )


def _saved_head(path: Path) -> SavedHead:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        day_head = document.get("day_head") or {}
        saved = SavedHead(document["count"], document["head_hash"], day_head.get("day"), day_head.get("entry_hash"))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is not a head of the ledger.", returncode=BAD_ARGUMENTS) from error
    hashes = [saved.head_hash, *([saved.day_entry_hash] if day_head else [])]
    if type(saved.count) is not int or saved.count < 1 or not all(map(_is_hash, hashes)):
        raise CommandError(f"{path} is not a head of the ledger.", returncode=BAD_ARGUMENTS)
    return saved


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASH.fullmatch(value) is not None
