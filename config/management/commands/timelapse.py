"""`manage.py timelapse`: the platform as in a quarter of real use, one session of past prices every few seconds."""

import os
import signal
import time
from argparse import ArgumentParser
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.devserver import servers
from config.devserver.demo import (
    READY_SECONDS,
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
from config.devserver.timelapse import ReplayPlan, create_demo_rules, evening_of, reset_time_lapse, session_summary
from config.http.problems import PROBLEMS
from config.pipelines import after_close
from marketdata import clock
from marketdata.services.ingestion import ingest_all

BAD_ARGUMENTS = 2
# Beat uses the real clock; the time-lapse runs each session itself.
EXCLUDED_PROGRAM = "beat"
EXPECTED_ERRORS: tuple[type[Exception], ...] = (ProcessExited, servers.EmbeddedServerError, *PROBLEMS)


class Command(BaseCommand):
    help = (
        "Run a site of its own, with servers and a clock of its own, that knows the sample up to a day and is told one "
        "session more at a time: prices, forecasts, scores, alerts and open pages move as they would in real use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="start", default="2023-06-01", metavar="DATE", help="where the site begins")
        parser.add_argument("--every", default="5s", metavar="TIME", help="between two sessions, as 5s or 1m")
        parser.add_argument("--sessions", type=int, metavar="N", help="tell so many sessions (default: all there are)")

    def handle(self, *args: Any, start: str, every: str, sessions: int | None, **options: Any) -> None:
        try:
            plan = ReplayPlan.read(start=start, every=every, sessions=sessions)
        except ValueError as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        site = settings.HINDCAST_SITE
        variables = {**demo_variables(site.port, site.data_dir, {}), "HINDCAST_CLOCK": "simulated"}
        empty_metrics(Path(variables["PROMETHEUS_MULTIPROC_DIR"]))
        try:
            self._prepare(plan, variables)
            self._serve(plan, variables)
        except KeyboardInterrupt:
            self._say("Stopped.")
        except EXPECTED_ERRORS as ended:
            raise CommandError(str(ended)) from ended

    def _prepare(self, plan: ReplayPlan, variables: dict[str, str]) -> None:
        self._say("Preparing a database and a clock of its own")
        reset_time_lapse()
        migrate(variables)
        collect_static()
        clock.set_simulated(evening_of(plan.first))
        self._say(f"Reading prices up to {plan.first}")
        ingest_all(through=plan.first, now=clock.now())
        self._say(f"Training on what was known on {plan.first}")
        run_management_command("train", variables=variables)
        self._evening(plan.first)

    def _serve(self, plan: ReplayPlan, variables: dict[str, str]) -> None:
        site, login = settings.HINDCAST_SITE, ensure_staff()
        rules = create_demo_rules(login.email)
        supervisor = Supervisor(site.data_dir, self._say, partial(servers.restart_dead, os.environ, site.data_dir))
        try:
            for program in programs(site.port, variables):
                if program.name != EXCLUDED_PROGRAM:
                    supervisor.start(program)
            if not supervisor.watch_until(lambda: is_ready(site.port), seconds=READY_SECONDS):
                raise CommandError(f"The site was not ready within {READY_SECONDS:.0f} s; see {site.data_dir / 'log'}.")
            self._say(
                "",
                f"The time-lapse is running:  http://{HOST}:{site.port}",
                f"  {login_line(site.port, login)}",
                f"  {key_line(site.port, login)}",
                f"  {rules} alert rules of that person write to {settings.EMAIL_FILE_PATH}",
                f"  from {plan.first} on, {len(plan.sessions)} sessions, one every {plan.every_s:g} s; Ctrl-C ends it.",
            )
            for session in plan.sessions:
                due = time.monotonic() + plan.every_s
                self._evening(session)
                supervisor.watch_until(lambda: False, seconds=due - time.monotonic())
            self._say("Every session has been told. The site stays up until Ctrl-C.")
            supervisor.watch_until(lambda: False)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            supervisor.stop()

    def _evening(self, session: date) -> None:
        """Run the after-close pipeline on the simulated clock."""
        clock.set_simulated(evening_of(session))
        self._say(session_summary(after_close(on=session, now=clock.now())))

    def _say(self, *lines: str) -> None:
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
