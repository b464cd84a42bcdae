"""`manage.py hindcast`: forecast past sessions with models that had not seen them, and score the forecasts."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.errors import MarketDataError
from marketdata.management.arguments import BAD_ARGUMENTS
from mlops.errors import MlopsError, NoChampion
from predictions.services.hindcasting import DEFAULT_SESSIONS, hindcast


class Command(BaseCommand):
    help = (
        "Forecast each of the last trading days with the champion's fit that ended before them, and score the "
        "forecasts. They are stored as hindcasts and never mixed into live figures."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sessions", type=int, default=DEFAULT_SESSIONS, metavar="N", help="number of trading days (default: 120)"
        )

    def handle(self, *args: Any, sessions: int, **options: Any) -> None:
        if sessions < 1:
            raise CommandError(f"--sessions must be at least 1, not {sessions}.", returncode=BAD_ARGUMENTS)
        try:
            report = hindcast(sessions=sessions, clock=clock.now, on_progress=self._report_progress)
        except NoChampion as error:
            raise CommandError(f"{error} Run `manage.py train` first.") from error
        except (MlopsError, MarketDataError) as error:
            raise CommandError(str(error)) from error
        if not report.sessions:
            self.stdout.write("No trading day lies between the end of training and the latest price.")
            return
        self.stdout.write(
            f"{report.created} hindcasts created from {report.sessions} trading days, {report.first} to {report.last}; "
            f"{report.scored} forecasts scored."
        )

    def _report_progress(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done} of {total} trading days", ending="" if done < total else "\n")
