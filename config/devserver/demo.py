"""Parts of a demo: programs, static files, staff account, readiness."""

import hashlib
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Scope, User
from accounts.selectors import keys_of
from accounts.services.api_keys import create_api_key
from accounts.wall_clock import utc_now
from config.devserver.paths import ROOT
from config.devserver.server_process import HOST
from config.devserver.supervisor import Program

STAFF = "staff@localhost"
LIMIT_PER_MINUTE = "600"
READY_SECONDS = 60.0
PROBE_SECONDS = 3.0
WORKER_THREADS = "4"
# Background work yields to requests.
CELERY = ("nice", "-n", "5", sys.executable, "-m", "celery", "-A", "config.celery", "--quiet")
# On SIGHUP granian replaces each worker; the old one stops accepting requests after this many seconds.
ROLLING = ("--respawn-interval", "15", "--workers-kill-timeout", "30")
# Request heads of 64 kB that arrive within ten seconds; the image sets the same and speaks no HTTP/2 behind nginx.
HEAD_LIMITS = ("--http1-buffer-size", "65536", "--http1-header-read-timeout", "10000",
               "--http2-max-headers-size", "65536")  # fmt: skip
QUIET_WORKER = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True, slots=True)
class Login:
    """The staff account; `password` and `api_key` are set only when just created."""

    email: str
    password: str | None
    api_key: str | None


def demo_variables(port: int, folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Return the variables a demo sets for its processes, unless `given` sets them."""
    wanted = {
        "HINDCAST_LIMIT_ANONYMOUS": LIMIT_PER_MINUTE,
        "HINDCAST_LIMIT_PAGES": LIMIT_PER_MINUTE,
        "HINDCAST_STREAM_URL": f"ws://{HOST}:{port + 1}/ws/stream",
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    # The processes of the site get no credentials of the tables' owner.
    chosen = {name: given.get(name) or value for name, value in wanted.items()}
    return {**chosen, "HINDCAST_DATABASE_OWNER_URL": ""}


def programs(port: int, variables: dict[str, str], *, web_processes: int = 1) -> list[Program]:
    """Return the programs of a demo."""
    web = (sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(port),
           "--workers", str(web_processes), *ROLLING, *HEAD_LIMITS, "--blocking-threads", "4", "--no-ws",
           "--log-level", "warning", "config.wsgi:application")  # fmt: skip
    edge = (sys.executable, "-m", "uvicorn", "--host", HOST, "--port", str(port + 1), "--no-access-log",
            "--no-proxy-headers", "--log-level", "warning", "--ws-per-message-deflate", "false",
            "--timeout-graceful-shutdown", "3", "--http", "config.edge.asgi:protocol",
            "config.edge.asgi:application")  # fmt: skip
    worker = (*CELERY, "worker", "-n", "worker@%h", "-P", "threads", "-c", WORKER_THREADS, "-Q", "work", *QUIET_WORKER)
    trainer = (*CELERY, "worker", "-n", "trainer@%h", "-P", "solo", "-Q", "training", *QUIET_WORKER)
    beat = (*CELERY, "beat", "--pidfile=")
    commands = {"web": web, "edge": edge, "worker": worker, "trainer": trainer, "beat": beat}
    return [Program(name, command, {**variables, "OMP_NUM_THREADS": "1"}) for name, command in commands.items()]


def clear_metrics(folder: Path) -> None:
    """Create the shared metrics folder and delete the files of earlier processes."""
    folder.mkdir(parents=True, exist_ok=True)
    for metrics_file in folder.glob("*.db"):
        metrics_file.unlink()


def is_ready(port: int) -> bool:
    """Whether the site is ready and the stream's port answers."""
    try:
        ready = httpx.get(f"http://{HOST}:{port}/health/ready", timeout=PROBE_SECONDS).status_code == httpx.codes.OK
        httpx.get(f"http://{HOST}:{port + 1}/", timeout=PROBE_SECONDS)
    except httpx.HTTPError:
        return False
    return ready


def collect_static() -> bool:
    """Collect the static files if they changed; returns whether they did."""
    stamp = Path(settings.STATIC_ROOT) / "collected.sha256"
    now = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(now)
    return True


def ensure_staff() -> Login:
    """Return the staff account; creates it with a random password, and an API key, if missing."""
    user, password = User.objects.filter(email=STAFF).first(), None
    if user is None:
        password = secrets.token_urlsafe(12)
        user = User.objects.create_superuser(STAFF, password, plan_id="unlimited")
    now, api_key = utc_now(), None
    if not keys_of(user).exists():
        _, api_key = create_api_key(owner=user, name="demo", scopes=Scope.values, expires_at=None, now=now)
    return Login(STAFF, password, api_key)


def login_line(port: int, login: Login) -> str:
    """Format the sign-in address and, on first start, the password."""
    reset = f".venv/bin/python manage.py changepassword {login.email}"
    password = login.password or f"as printed at its first start; `{reset}` sets a new one"
    return f"staff login         http://{HOST}:{port}/admin/  {login.email}  password: {password}"


def key_line(port: int, login: Login) -> str:
    """Format the staff API key, shown on first start only."""
    shown = login.api_key or f"as printed at its first start; http://{HOST}:{port}/accounts/keys makes another"
    return f"staff API key       {shown}"


def migrate(variables: dict[str, str]) -> None:
    """Migrate the database; a new one gets the demo's limits."""
    limit = int(variables["HINDCAST_LIMIT_ANONYMOUS"])
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=limit)
    call_command("migrate", interactive=False, verbosity=0)


def run_management_command(*command: str, variables: dict[str, str], needed: bool = True) -> None:
    """Run a management command in a subprocess, so that its libraries do not stay in memory.

    Raises CommandError if a `needed` command fails; other commands report their own errors.
    """
    quiet = {"HINDCAST_LOG_LEVEL": "ERROR", **os.environ, **variables}
    finished = subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=quiet, check=False)
    if finished.returncode and needed:
        raise CommandError(f"`manage.py {command[0]}` did not succeed.", returncode=finished.returncode)


def _static_fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            facts = Path(storage.path(name)).stat()
            digest.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
