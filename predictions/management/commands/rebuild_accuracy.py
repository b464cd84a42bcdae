"""`manage.py rebuild_accuracy`: make the sums of the record anew from the outcomes."""

from typing import Any

from django.core.management.base import BaseCommand

from marketdata import clock
from mlops.scorecard import counted
from predictions.services.accuracy import rebuild_accuracy


class Command(BaseCommand):
    help = (
        "Add the record up anew from the stored outcomes; until that is done, readers see the old one. Says how many "
        "rows were other than what the outcomes add up to."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        report = rebuild_accuracy(now=clock.now())
        if report.as_of is None:
            self.stdout.write("Nothing is stored yet: the record is empty.")
            return
        self.stdout.write(
            f"{counted(report.counted, 'outcome')} added up; the windows end with {report.as_of}. "
            f"{counted(report.differing, 'row')} of the record held something else before."
        )
