"""`manage.py rebuild_accuracy`: recompute the accuracy tables from the outcomes."""

from typing import Any

from django.core.management.base import BaseCommand

from marketdata import clock
from mlops.scorecard import counted
from predictions.services.accuracy import rebuild_accuracy


class Command(BaseCommand):
    help = (
        "Recompute the accuracy tables from the stored outcomes and print how many rows changed. "
        "Readers see the previous figures until it is done."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        report = rebuild_accuracy(now=clock.now())
        if report.as_of is None:
            self.stdout.write("No outcomes are stored yet.")
            return
        self.stdout.write(
            f"{counted(report.counted, 'outcome')} counted; windows end on {report.as_of}. "
            f"{counted(report.differing, 'row')} changed."
        )
