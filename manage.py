#!/usr/bin/env python
"""Runs a management command; one that needs servers gets them, embedded ones where no URL names others."""

import os
import sys

from config import embedded, preflight


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with preflight.checked(sys.argv), embedded.servers_for(sys.argv):
        # Settings read the URLs that the line above provides.
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
