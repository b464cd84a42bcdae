"""`manage.py timelapse`: replay a quarter of real use, one trading day every few seconds."""

import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from config.devserver.demo import collect_static, ensure_staff, key_line, login_line, migrate, run_management_command
from config.devserver.server_process import HOST
from config.devserver.site_command import SiteCommand
from config.devserver.timelapse import ReplayPlan, create_demo_rules, evening_of, reset_time_lapse, session_summary
from config.pipelines import after_close
from marketdata import clock
from marketdata.conf import SIMULATED_CLOCK
from marketdata.management.arguments import BAD_ARGUMENTS
from marketdata.services.ingestion import ingest_all

# Beat uses the real clock; the time-lapse runs each session itself.
EXCLUDED_PROGRAMS = frozenset({"beat"})


class Command(SiteCommand):
    help = (
        "Replay the sample prices one trading day at a time on a separate site with a simulated clock: "
        "prices, forecasts, scores, alerts and open pages change as in real use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="start", default="2023-06-01", metavar="DATE", help="first day of the site")
        parser.add_argument("--every", default="5s", metavar="TIME", help="pause between two days, e.g. 5s or 1m")
        parser.add_argument("--sessions", type=int, metavar="N", help="number of trading days to replay (default: all)")

    def handle(self, *args: Any, start: str, every: str, sessions: int | None, **options: Any) -> None:
        try:
            plan = ReplayPlan.read(start=start, every=every, sessions=sessions)
        except ValueError as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        with self.expected_errors():
            variables = {**self.site_variables({}), "HINDCAST_CLOCK": SIMULATED_CLOCK}
            self._prepare(plan, variables)
            self._serve(plan, variables)

    def _prepare(self, plan: ReplayPlan, variables: dict[str, str]) -> None:
        self.say("Preparing a separate database with a simulated clock")
        reset_time_lapse()
        migrate(variables)
        collect_static()
        clock.set_simulated(evening_of(plan.first))
        self.say(f"Reading prices up to {plan.first}")
        ingest_all(through=plan.first, now=clock.now())
        self.say(f"Training on data up to {plan.first}")
        run_management_command("train", variables=variables)
        self._evening(plan.first)

    def _serve(self, plan: ReplayPlan, variables: dict[str, str]) -> None:
        port, login = settings.HINDCAST_SITE.port, ensure_staff()
        rules = create_demo_rules(login.email)
        with self.running_site(variables, without=EXCLUDED_PROGRAMS) as supervisor:
            self.say(
                "",
                f"The time-lapse is running:  http://{HOST}:{port}",
                f"  {login_line(port, login)}",
                f"  {key_line(port, login)}",
                f"  e-mails of {rules} alerts are saved in {settings.EMAIL_FILE_PATH}",
                f"  replaying {len(plan.sessions)} trading days from {plan.first}, one every {plan.every_s:g} s; "
                "Ctrl-C ends it.",
            )
            for session in plan.sessions:
                due = time.monotonic() + plan.every_s
                self._evening(session)
                supervisor.watch_until(lambda: False, seconds=due - time.monotonic())
            self.say("All days replayed. The site runs until Ctrl-C.")
            supervisor.watch_until(lambda: False)

    def _evening(self, session: date) -> None:
        """Run the after-close pipeline on the simulated clock."""
        clock.set_simulated(evening_of(session))
        self.say(session_summary(after_close(on=session, clock=clock.now)))
