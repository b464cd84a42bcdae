"""Base of the `demo` and `timelapse` commands: run every process of a site in the foreground until Ctrl-C."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.devserver import servers
from config.devserver.demo import READY_SECONDS, clear_metrics, demo_variables, is_ready, programs
from config.devserver.supervisor import Supervisor
from config.http.problems import PROBLEMS

EXPECTED_ERRORS: tuple[type[Exception], ...] = (servers.EmbeddedServerError, *PROBLEMS)


class SiteCommand(BaseCommand):
    """Prints its own progress; the processes write log files."""

    @contextmanager
    def expected_errors(self) -> Iterator[None]:
        """Turn Ctrl-C into a normal end and expected errors into one sentence."""
        logging.getLogger().setLevel(logging.ERROR)
        try:
            yield
        except KeyboardInterrupt:
            self.say("Stopped.")
        except EXPECTED_ERRORS as error:
            raise CommandError(str(error)) from error

    def site_variables(self, given: dict[str, str]) -> dict[str, str]:
        """Return the variables of the site's processes and clear the metrics of earlier ones."""
        variables = demo_variables(settings.HINDCAST_SITE.port, settings.HINDCAST_SITE.data_dir, given)
        clear_metrics(Path(variables["PROMETHEUS_MULTIPROC_DIR"]))
        return variables

    @contextmanager
    def running_site(self, variables: dict[str, str], *, without: frozenset[str] = frozenset()) -> Iterator[Supervisor]:
        """Run the site's programs and wait until it is ready; stops them at the end of the block."""
        site = settings.HINDCAST_SITE
        supervisor = Supervisor(site.data_dir, self.say, partial(servers.restart_dead, os.environ, site.data_dir))
        try:
            for program in programs(site.port, variables):
                if program.name not in without:
                    supervisor.start(program)
            if not supervisor.watch_until(lambda: is_ready(site.port), seconds=READY_SECONDS):
                raise CommandError(f"The site was not ready within {READY_SECONDS:.0f} s; see {site.data_dir / 'log'}.")
            yield supervisor
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            supervisor.stop()

    def say(self, *lines: str) -> None:
        """Print lines at once, also into a pipe."""
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
