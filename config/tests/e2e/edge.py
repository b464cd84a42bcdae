"""The `edge` process for browser tests."""

import os
import socket
import subprocess
from urllib.parse import urlsplit, urlunsplit

from django.db import connection
from playwright.sync_api import Page

from config.devserver.demo import programs
from config.devserver.paths import ROOT
from config.devserver.server_process import port_in_use
from config.tests.waiting import wait_until

HOST = "localhost"


class Edge:
    """The `edge` process as in production, on its own port; it can be stopped and restarted."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.address = f"ws://{HOST}:{self.port}/ws/stream"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = urlsplit(os.environ["DATABASE_URL"])
        database = urlunsplit(own._replace(path=f"/{connection.settings_dict['NAME']}"))
        (program,) = [one for one in programs(self.port - 1, {}) if one.name == "edge"]
        variables = {**os.environ, "DATABASE_URL": database, **self._variables}
        self._process = subprocess.Popen(program.command, cwd=ROOT, env=variables)
        wait_until(lambda: port_in_use(self.port), "the edge process")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


def wait_for_script(page: Page, expression: str) -> None:
    """Wait until a script is true; the page's policy forbids Playwright's wait_for_function, which uses `eval`."""
    wait_until(lambda: page.evaluate(expression), expression)
