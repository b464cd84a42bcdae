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
    run_command,
)
from config.devserver.running import HOST
from config.devserver.supervisor import ProcessEnded, Supervisor
from config.devserver.timelapse import Plan, instant_after, line_of, start_over, watch_for
from config.http.problems import PROBLEMS
from config.pipelines import after_close
from marketdata import clock
from marketdata.services.ingestion import ingest_all

BAD_ARGUMENTS = 2
# The schedule goes by the real clock; here the sessions come when they are told.
NOT_RUN = "beat"
TOLD_IN_A_SENTENCE: tuple[type[Exception], ...] = (ProcessEnded, servers.EmbeddedProblem, *PROBLEMS)


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
            plan = Plan.read(start=start, every=every, sessions=sessions)
        except ValueError as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        site = settings.HINDCAST_SITE
        variables = {**demo_variables(site.port, site.data_dir, {}), "HINDCAST_CLOCK": "told"}
        empty_metrics(Path(variables["PROMETHEUS_MULTIPROC_DIR"]))
        try:
            self._prepare(plan, variables)
            self._serve(plan, variables)
        except KeyboardInterrupt:
            self._say("Stopped.")
        except TOLD_IN_A_SENTENCE as ended:
            raise CommandError(str(ended)) from ended

    def _prepare(self, plan: Plan, variables: dict[str, str]) -> None:
        self._say("Preparing a database and a clock of its own")
        start_over()
        migrate(variables)
        collect_static()
        clock.tell(instant_after(plan.first))
        self._say(f"Reading prices up to {plan.first}")
        ingest_all(through=plan.first, now=clock.now())
        self._say(f"Training on what was known on {plan.first}")
        run_command("train", variables=variables)
        self._evening(plan.first)

    def _serve(self, plan: Plan, variables: dict[str, str]) -> None:
        site, login = settings.HINDCAST_SITE, ensure_staff()
        rules = watch_for(login.email)
        supervisor = Supervisor(site.data_dir, self._say, partial(servers.revive, os.environ, site.data_dir))
        try:
            for program in programs(site.port, variables):
                if program.name != NOT_RUN:
                    supervisor.start(program)
            if not supervisor.watch_until(lambda: is_ready(site.port), seconds=READY_SECONDS):
                raise CommandError(f"The site was not ready within {READY_SECONDS:.0f} s; see {site.data_dir / 'log'}.")
            self._say(
                "",
                f"The time-lapse is running:  http://{HOST}:{site.port}",
                f"  {login_line(site.port, login)}",
                f"  {key_line(site.port, login)}",
                f"  {rules} alert rules of that person write to {settings.EMAIL_FILE_PATH}",
                f"  from {plan.first} on, {len(plan.told)} sessions, one every {plan.every_s:g} s; Ctrl-C ends it.",
            )
            for session in plan.told:
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
        """What follows a session's close, at the time at which it would."""
        clock.tell(instant_after(session))
        self._say(line_of(after_close(on=session, now=clock.now())))

    def _say(self, *lines: str) -> None:
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
