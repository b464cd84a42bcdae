"""`manage.py ledger_key`: show the public key that verifies ledger heads, or replace the key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from predictions.errors import LedgerKeyRefused
from predictions.services.ledger_signatures import key_file, rotate_signing_key, signing_key


class Command(BaseCommand):
    help = "Show the public key that verifies the signatures of ledger heads; the first call creates the key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rotate", action="store_true", help="replace the key; the former one stays published and signs the new"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = (rotate_signing_key if options["rotate"] else signing_key)(now=clock.now())
        except LedgerKeyRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Key {key.key_id} in {key_file()}; public key (Ed25519): {key.public_key}")
