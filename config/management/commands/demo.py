"""`manage.py demo`: run the whole platform on this machine, in the foreground, until Ctrl-C."""

import io
import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from accounts.selectors import anonymous_limit
from config.devserver.demo import collect_static, ensure_staff, key_line, login_line, migrate, run_management_command
from config.devserver.server_process import HOST
from config.devserver.site_command import SiteCommand
from marketdata import clock
from marketdata.selectors import active_instruments
from mlops.errors import NoChampion
from mlops.selectors import champion
from predictions.selectors.forecasts import has_hindcasts
from predictions.services.ledger import record_head


class Command(SiteCommand):
    help = "Prepare everything, run every process of the platform, and stop them all at Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        with self.expected_errors():
            variables = self.site_variables(dict(os.environ))
            self._prepare(variables)
            login, port = ensure_staff(), settings.HINDCAST_SITE.port
            site = f"http://{HOST}:{port}"
            with self.running_site(variables) as supervisor:
                self.say(
                    "",
                    f"Hindcast is running:  {site}",
                    f"  forecast by API     curl '{site}/api/v1/predict?symbol=AAPL&horizon=5'",
                    f"  API documentation   {site}/api/docs",
                    f"  live stream         ws://{HOST}:{port + 1}/ws/stream",
                    f"  {login_line(port, login)}",
                    f"  {key_line(port, login)}",
                    f"  limit               {anonymous_limit()} calls a minute for this demo",
                    f"  e-mails saved in    {settings.EMAIL_FILE_PATH}",
                    f"  logs                {settings.HINDCAST_SITE.data_dir / 'log'}",
                    "Ctrl-C stops everything.",
                )
                supervisor.watch_until(lambda: False)

    def _prepare(self, variables: dict[str, str]) -> None:
        self.say("Preparing the database and the pages")
        try:
            migrate(variables)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {' '.join(str(error).split())}") from error
        call_command("install_schedule", stdout=io.StringIO())
        collect_static()
        self.say("Reading prices")
        run_management_command("ingest", variables=variables, needed=False)
        try:
            champion()
        except NoChampion:
            self.say("Training the first model on this machine")
            run_management_command("train", variables=variables)
        if not has_hindcasts(champion()):
            self.say("Hindcasting the last 120 trading days")
            run_management_command("hindcast", variables=variables, needed=False)
        run_management_command("publish", variables=variables, needed=False)
        record_head(clock=clock.now)
        symbols = [instrument.symbol for instrument in active_instruments()]
        run_management_command("predict", *symbols, variables=variables, needed=False)
