#!/usr/bin/env python
"""Runs a management command; one that needs servers gets them, embedded ones where no URL names others."""

import os
import sys

from config.devserver import preflight, servers, simulation_env

INTERRUPTED = 128 + 2


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.stderr.isatty() and sys.argv[1:2] not in (["demo"], ["timelapse"]):
        # A person reads along: a command's own words say what it does, so only warnings join them, in plain lines.
        # A demo starts processes that keep logs, and those stay as they are.
        os.environ.setdefault("HINDCAST_LOG_LEVEL", "WARNING")
        os.environ.setdefault("HINDCAST_LOG_FORMAT", "console")
    simulation_env.set_apart(sys.argv, os.environ)
    with preflight.checked(sys.argv), servers.servers_for(sys.argv):
        # Settings read the URLs that the line above provides.
        from django.core.management import execute_from_command_line

        from config.settings.environment import EnvironmentProblem

        try:
            execute_from_command_line(sys.argv)
        except EnvironmentProblem as problem:
            sys.exit(str(problem))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(INTERRUPTED)
