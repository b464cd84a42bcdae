"""`manage.py verify_ledger`: recompute the chain of forecasts and name the first row that was altered."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from predictions.errors import LedgerBroken
from predictions.services.ledger import verify_chain


class Command(BaseCommand):
    help = "Recompute every hash of the ledger. Exits with 0 when all rows hold, 1 when one does not."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verified = verify_chain()
        except LedgerBroken as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{verified} forecasts verified; none was altered.")
