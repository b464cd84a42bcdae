"""PostgreSQL and Valkey of one data folder: attach to running servers or start them; the last user stops them."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.devserver.errors import EmbeddedServerError
from config.devserver.postgres import POSTGRES
from config.devserver.server_process import EmbeddedServer, RunningServer
from config.devserver.valkey import VALKEY

SERVERS: dict[str, EmbeddedServer] = {"postgres": POSTGRES, "valkey": VALKEY}
URL_VARIABLES = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}
STOP_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """The servers of one data folder; with `durable`, data survives a power cut.

    `as_superuser` addresses the database as its superuser, which tests and benchmarks need.
    """

    folder: Path
    durable: bool = True
    as_superuser: bool = False

    @contextmanager
    def attach(self, names: tuple[str, ...]) -> Iterator[dict[str, str]]:
        """Keep the named servers running for the duration of the block; yields their URL variables.

        Every user process has a shared lock on `users.lock`. A process that can take it exclusively on exit is the
        last one and stops the servers. `start.lock` serialises attaching and detaching. A killed process loses its
        lock, and the next one finds its servers in `run.json`.
        """
        self._make_folder()
        users = self._open("users.lock")
        try:
            with self._exclusive():
                fcntl.flock(users, fcntl.LOCK_SH)
                try:
                    variables = self._start_missing(names)
                except BaseException:
                    self._leave(users)
                    raise
            try:
                yield variables
            finally:
                with self._exclusive():
                    self._leave(users)
        finally:
            os.close(users)

    def stop(self) -> None:
        """Stop the recorded servers, even if other processes use them."""
        if self.folder.is_dir():
            with self._exclusive():
                self._stop_recorded()

    def restart_dead(self, variables: Mapping[str, str]) -> list[str]:
        """Restart servers that `variables` name and that have died, at the same address; returns their names.

        Call it inside `attach`. Raises EmbeddedServerError if a server does not start at that address.
        """
        if all(server.process.alive for server in self._read_record().values()):
            return []
        with self._exclusive():
            died = [
                name
                for name, server in self._read_record().items()
                if not server.process.alive and self._variables(name, server).items() <= variables.items()
            ]
            for name in died:
                if not self._start_missing((name,)).items() <= variables.items():
                    raise EmbeddedServerError(f"{SERVERS[name].name} ended, and another program now uses its port.")
        return [SERVERS[name].name for name in died]

    def recorded(self) -> dict[str, RunningServer]:
        """Return the recorded servers that are running."""
        return {name: server for name, server in self._read_record().items() if server.process.alive}

    def _read_record(self) -> dict[str, RunningServer]:
        """Return the recorded servers, including dead ones."""
        try:
            written = json.loads((self.folder / "run.json").read_text())
            return {name: RunningServer.from_json(written[name]) for name in SERVERS if name in written}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _start_missing(self, names: tuple[str, ...]) -> dict[str, str]:
        """Start the missing servers; a dead one restarts at its old address, which other processes may use."""
        servers = self._read_record()
        for name in names:
            former = servers.get(name)
            if former is None or not former.process.alive:
                port = former.port if former else None
                servers[name] = SERVERS[name].start(
                    self.folder, password=self._password(), durable=self.durable, port=port
                )
                self._record(servers)
        variables: dict[str, str] = {}
        for name in names:
            variables |= self._variables(name, servers[name])
        return variables

    def _variables(self, name: str, server: RunningServer) -> dict[str, str]:
        return SERVERS[name].variables(server, self._password(), self.as_superuser)

    def _leave(self, users: int) -> None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        self._stop_recorded()

    def _stop_recorded(self) -> None:
        for name, server in self.recorded().items():
            server.process.stop(SERVERS[name].stop_signal, patience_s=STOP_PATIENCE_S)
        (self.folder / "run.json").unlink(missing_ok=True)

    def _record(self, servers: dict[str, RunningServer]) -> None:
        written = self.folder / "run.json.new"
        written.write_text(json.dumps({name: server.as_json() for name, server in servers.items()}, indent=2))
        written.replace(self.folder / "run.json")

    def _password(self) -> str:
        path = self.folder / "servers.password"
        if not path.exists():
            written = path.with_suffix(".new")
            written.unlink(missing_ok=True)
            written.touch(mode=0o600)
            written.write_text(secrets.token_urlsafe(24))
            written.replace(path)
        return path.read_text()

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedServerError(f"The data folder {self.folder} cannot be created: {error.strerror}.") from error

    def _open(self, name: str) -> int:
        try:
            return os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmbeddedServerError(f"The data folder {self.folder} cannot be written: {error.strerror}.") from error

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        lock = self._open("start.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
