"""Embedded Valkey: the clone's cache, channel layer, rate limiter and broker."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path

from config.devserver import paths, server_process
from config.devserver.errors import EmbeddedServerError
from config.devserver.process_identity import ProcessIdentity, command_line
from config.devserver.server_process import EmbeddedServer, RunningServer

ATTEMPTS = 5


def start_valkey(folder: Path, *, password: str, durable: bool, port: int | None = None) -> RunningServer:
    """Start Valkey with its files in `folder`, on `port` if it is free, else on a free one."""
    program = paths.valkey_program()
    files = folder / "valkey"
    files.mkdir(mode=0o700, exist_ok=True)
    log = folder / "valkey.log"
    _stop_unrecorded(folder)
    for _ in range(ATTEMPTS):
        chosen = server_process.port_for(port)
        settings = _settings_file(folder, files, port=chosen, password=password, durable=durable)
        started = server_process.launch(
            VALKEY.name, [str(program), str(settings)], log=log, ready=_ready(chosen, password)
        )
        if started:
            return RunningServer(started, chosen)
    raise EmbeddedServerError(f"Valkey did not start: {server_process.last_log_lines(log)}")


def _variables(server: RunningServer, password: str, as_superuser: bool) -> dict[str, str]:
    return {"REDIS_URL": f"redis://:{password}@{server_process.HOST}:{server.port}/0"}


def answers(port: int, password: str) -> bool:
    """Whether a server with this password listens on the port and has loaded its data."""
    try:
        with socket.create_connection((server_process.HOST, port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2:
                received = connection.recv(256)
                if not received:
                    return False
                reply += received
    except OSError:
        return False
    return reply.startswith(b"+OK\r\n+PONG")


def _stop_unrecorded(folder: Path) -> None:
    """Stop a server that uses this folder's settings file but is not in the record."""
    try:
        pid = int((folder / "valkey.pid").read_text())
        ports = [line.split()[1] for line in (folder / "valkey.conf").read_text().splitlines() if line[:5] == "port "]
    except (OSError, ValueError):
        return
    process = ProcessIdentity.of(pid)
    if process and ports and f"valkey-server {server_process.HOST}:{ports[0]}" in command_line(pid):
        process.stop(VALKEY.stop_signal, patience_s=10)


def _ready(port: int, password: str) -> Callable[[], bool]:
    return lambda: answers(port, password)


def _settings_file(folder: Path, files: Path, *, port: int, password: str, durable: bool) -> Path:
    """Write a private settings file; other users could read a password on the command line."""
    lines = [
        f"bind {server_process.HOST}",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{files}"',
        f'pidfile "{folder / "valkey.pid"}"',
        "daemonize no",
        "databases 16",
        "maxmemory 256mb",
        "maxmemory-policy noeviction",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",
    ]
    path = folder / "valkey.conf"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
    return path


VALKEY = EmbeddedServer("Valkey", signal.SIGTERM, start_valkey, _variables)
