"""The repository's nginx configuration in a real nginx, in front of edge and of Granian with the image's options."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.devserver.paths import ROOT
from config.devserver.server_process import free_port
from config.tests.edge_server import HOST
from config.tests.edge_wire import Wire
from config.tests.waiting import wait_until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MAIN = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def site_configuration() -> str:
    """Return the repository's configuration."""
    return (ROOT / "deploy" / "nginx" / "hindcast.conf").read_text()


@contextmanager
def running_nginx(
    folder: Path, *, edge_port: int, web_port: int, proxies: int = 1, changes: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Serve the repository's configuration, with local ports and the changes, until the block ends; gives the port."""
    port = free_port()
    site = site_configuration()
    local_addresses = {
        "listen 80;": f"listen {HOST}:{port};",
        "server web:8000 resolve;": f"server {HOST}:{web_port};",
        "server edge:8001 resolve;": f"server {HOST}:{edge_port};",
        "${HINDCAST_TRUSTED_PROXIES}": str(proxies),
    }
    for written, local in (local_addresses | dict(changes or {})).items():
        assert written in site
        site = site.replace(written, local)
    file = folder / "nginx.conf"
    file.write_text(MAIN.format(folder=folder, site=site))
    assert NGINX is not None
    with _running([NGINX, "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")], folder, port):
        yield port


@contextmanager
def running_granian(folder: Path, application: str) -> Iterator[int]:
    """Serve a WSGI application with the options of the image until the block ends; gives the port."""
    port = free_port()
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    options: list[str] = json.loads(re.findall(r"^CMD (\[\"granian.*\])$", lines, re.MULTILINE)[0])
    options = options[1:-1]
    for name, value in (("--host", HOST), ("--port", str(port)), ("--workers", "1")):
        options[options.index(name) + 1] = value
    command = [sys.executable, "-m", "granian", *options, "--log-level", "warning", application]
    with _running(command, folder, port):
        yield port


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)
    try:
        wait_until(lambda: process.poll() is not None or _accepts(port), command[0])
        assert process.poll() is None, (folder / "output.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def _accepts(port: int) -> bool:
    try:
        Wire(port).close()
    except OSError:
        return False
    return True
