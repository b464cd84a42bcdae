"""`manage.py demo`: the whole platform on this machine, in the foreground, until Ctrl-C."""

import io
import logging
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from accounts.selectors import anonymous_limit
from config.devserver import servers
from config.devserver.demo import (
    READY_SECONDS,
    Login,
    collect_static,
    demo_variables,
    empty_metrics,
    ensure_staff,
    is_ready,
    key_line,
    login_line,
    migrate,
    programs,
    run_management_command,
)
from config.devserver.server_process import HOST
from config.devserver.supervisor import ProcessExited, Supervisor
from marketdata import clock
from marketdata.selectors import active_instruments
from mlops.errors import NoChampion
from mlops.selectors import champion
from predictions.selectors.forecasts import has_hindcasts
from predictions.services.ledger import record_head


class Command(BaseCommand):
    help = "Prepare everything, run every process of the platform, and stop them all at Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        # What there is to say here is said in words; the processes keep logs of their own.
        logging.getLogger().setLevel(logging.ERROR)
        site = settings.HINDCAST_SITE
        variables = demo_variables(site.port, site.data_dir, dict(os.environ))
        empty_metrics(Path(variables["PROMETHEUS_MULTIPROC_DIR"]))
        try:
            self._prepare(variables)
            self._serve(ensure_staff(), variables)
        except KeyboardInterrupt:
            self._say("Stopped.")
        except (ProcessExited, servers.EmbeddedServerError) as ended:
            raise CommandError(str(ended)) from ended

    def _prepare(self, variables: dict[str, str]) -> None:
        self._say("Preparing the database and the pages")
        try:
            migrate(variables)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {' '.join(str(error).split())}") from error
        call_command("install_schedule", stdout=io.StringIO())
        collect_static()
        self._say("Reading prices")
        run_management_command("ingest", variables=variables, needed=False)
        try:
            champion()
        except NoChampion:
            self._say("Training the first model on this machine")
            run_management_command("train", variables=variables)
        if not has_hindcasts(champion()):
            self._say("Forecasting the last 120 sessions in hindsight, with what was known then")
            run_management_command("hindcast", variables=variables, needed=False)
        run_management_command("publish", variables=variables, needed=False)
        record_head(now=clock.now())
        symbols = [instrument.symbol for instrument in active_instruments()]
        run_management_command("predict", *symbols, variables=variables, needed=False)

    def _serve(self, login: Login, variables: dict[str, str]) -> None:
        site = settings.HINDCAST_SITE
        supervisor = Supervisor(site.data_dir, self._say, partial(servers.restart_dead, os.environ, site.data_dir))
        try:
            for program in programs(site.port, variables):
                supervisor.start(program)
            if not supervisor.watch_until(lambda: is_ready(site.port), seconds=READY_SECONDS):
                raise CommandError(
                    f"The site was not ready within {READY_SECONDS:.0f} s; see {supervisor.log_of('web').parent}."
                )
            self._announce(site.port, login, anonymous_limit())
            supervisor.watch_until(lambda: False)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            supervisor.stop()

    def _announce(self, port: int, login: Login, limit: str) -> None:
        site = f"http://{HOST}:{port}"
        self._say(
            "",
            f"Hindcast is running:  {site}",
            f"  forecast by API     curl '{site}/api/v1/predict?symbol=AAPL&horizon=5'",
            f"  API documentation   {site}/api/docs",
            f"  live stream         ws://{HOST}:{port + 1}/ws/stream",
            f"  {login_line(port, login)}",
            f"  {key_line(port, login)}",
            f"  limit               {limit} calls a minute for this demo",
            f"  mails are files in  {settings.EMAIL_FILE_PATH}",
            f"  logs                {settings.HINDCAST_SITE.data_dir / 'log'}",
            "Ctrl-C stops everything.",
        )

    def _say(self, *lines: str) -> None:
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
