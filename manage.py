#!/usr/bin/env python
"""Run a management command, with embedded servers where no URL names others."""

import os
import sys

from config.devserver import preflight, servers, simulation_env
from config.devserver.refusals import refused

INTERRUPTED = 128 + 2


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.stderr.isatty() and sys.argv[1:2] not in (["demo"], ["timelapse"]):
        # At a terminal, commands print their own progress, so only warnings are logged, as plain lines.
        # A demo's processes keep their usual logs.
        os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
        os.environ.setdefault("HINDCAST_LOG_FORMAT", "console")
    simulation_env.isolate_time_lapse(sys.argv, os.environ)
    with preflight.exclusive_site(sys.argv), servers.command_servers(sys.argv):
        # Settings read the URLs that the line above sets.
        import django
        from django.core.management import execute_from_command_line

        from config.database.schema_history import refusal
        from config.settings.environment import EnvironmentProblem

        try:
            if servers.needs_servers(sys.argv):
                django.setup()
                if reason := refusal():
                    sys.exit(reason)
            execute_from_command_line(sys.argv)
        except EnvironmentProblem as problem:
            sys.exit(str(problem))
        except Exception as error:
            if reason := refused(" ".join(sys.argv[1:2]), error):
                sys.exit(reason)
            raise


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(INTERRUPTED)
