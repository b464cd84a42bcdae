"""`manage.py verify_ledger`: recompute the whole ledger and name the first thing that was altered."""

import json
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from mlops.scorecard import counted
from predictions.errors import LedgerBroken
from predictions.services.verification import KeptHead, check_ledger

BAD_ARGUMENTS = 2
HASH = re.compile(r"[0-9a-f]{64}")


class Command(BaseCommand):
    help = (
        "Recompute every hash of the ledger: forecasts, their inputs, the heads of all days, and whether outcomes "
        "follow from both. Exits with 0 when everything holds, 1 when something does not, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", type=Path, metavar="FILE", help="a head that you kept, as GET /api/v1/ledger/head answers it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        kept = None if options["head"] is None else _kept(options["head"])
        try:
            verified = check_ledger(clock=clock.now, kept=kept)
        except LedgerBroken as error:
            raise CommandError(str(error)) from error
        forecasts, heads = counted(verified.forecasts, "forecast"), counted(verified.heads, "head")
        self.stdout.write(
            f"{forecasts} verified; none was altered. {heads} and {counted(verified.inputs, 'input block')} hold. "
            f"The chain ends in {verified.head_hash}."
        )


def _kept(path: Path) -> KeptHead:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        day_head = told.get("day_head") or {}
        kept = KeptHead(told["count"], told["head_hash"], day_head.get("day"), day_head.get("entry_hash"))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is not a head of the ledger.", returncode=BAD_ARGUMENTS) from error
    hashes = [kept.head_hash, *([kept.day_entry_hash] if day_head else [])]
    if type(kept.count) is not int or kept.count < 1 or not all(map(_is_hash, hashes)):
        raise CommandError(f"{path} is not a head of the ledger.", returncode=BAD_ARGUMENTS)
    return kept


def _is_hash(told: Any) -> bool:
    return isinstance(told, str) and HASH.fullmatch(told) is not None
