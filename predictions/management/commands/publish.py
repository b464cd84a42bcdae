"""`manage.py publish`: store and announce the champion's forecasts for every active instrument."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.errors import MarketDataError
from marketdata.management.arguments import read_date
from mlops.errors import MlopsError, NoChampion
from predictions.errors import ClockBehind
from predictions.services.ledger import record_head
from predictions.services.publishing import publish_forecasts


class Command(BaseCommand):
    help = (
        "Publish forecasts from the newest stored session; forecasts from an earlier one are stored as hindcasts. The "
        "first publication of a UTC day records the day's head of the ledger."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--origin", metavar="DATE", help="last session whose prices the forecasts use (YYYY-MM-DD)")

    def handle(self, *args: Any, **options: Any) -> None:
        origin = read_date("--origin", options["origin"]) if options["origin"] else None
        try:
            report = publish_forecasts(clock=clock.now, origin=origin)
        except NoChampion as error:
            raise CommandError(f"{error} Run `manage.py train` first.") from error
        except (MlopsError, MarketDataError, ClockBehind) as error:
            raise CommandError(str(error)) from error
        record_head(clock=clock.now)
        self.stdout.write(
            f"{report.created} forecasts created from {report.origin} by model {report.version}; "
            f"{report.existing} already existed, {report.abstained} abstained."
        )
