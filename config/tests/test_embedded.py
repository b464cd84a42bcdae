"""Embedded servers: shared, adopted after a crash, isolated per clone, private, clear about failures."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis

from config.devserver import paths, server_process, servers, valkey
from config.devserver.embedded_servers import EmbeddedServers
from config.devserver.errors import EmbeddedServerError
from config.devserver.paths import ROOT
from config.devserver.process_identity import ProcessIdentity
from config.tests.waiting import wait_until

BOTH = ("postgres", "valkey")
OWNER_URL = "HINDCAST_DATABASE_OWNER_URL"
ATTACH_AND_DIE = """
import os, signal, sys
from pathlib import Path
from config.devserver.embedded_servers import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1]), durable=False).attach(("postgres", "valkey")):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def embedded() -> Iterator[EmbeddedServers]:
    made = EmbeddedServers(ROOT / ".data" / "test" / f"embedded-{uuid4().hex[:8]}", durable=False)
    yield made
    made.stop()
    _remove(made.folder)


def _remove(folder: Path) -> None:
    runner = paths.postgres_user()
    home = paths.postgres_home(folder, runner) if folder.exists() else folder
    for path in {home, folder}:
        shutil.rmtree(path, ignore_errors=True)


def _pids(embedded: EmbeddedServers) -> dict[str, int]:
    return {name: server.process.pid for name, server in embedded.recorded().items()}


def test_a_second_user_shares_the_servers_and_the_last_one_stops_them(embedded: EmbeddedServers) -> None:
    first, second = embedded.attach(BOTH), embedded.attach(BOTH)
    urls = first.__enter__()
    processes = [server.process for server in embedded.recorded().values()]
    assert second.__enter__() == urls
    first.__exit__(None, None, None)
    assert [process.alive for process in processes] == [True, True]
    second.__exit__(None, None, None)
    assert [process.alive for process in processes] == [False, False]
    assert not (embedded.folder / "run.json").exists()


def test_servers_of_a_killed_user_are_adopted_by_the_next(embedded: EmbeddedServers) -> None:
    killed = subprocess.run([sys.executable, "-c", ATTACH_AND_DIE, str(embedded.folder)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = _pids(embedded)
    assert set(left) == set(BOTH)
    with embedded.attach(BOTH):
        assert _pids(embedded) == left
    assert _pids(embedded) == {}


def test_rows_survive_servers_that_were_killed(embedded: EmbeddedServers) -> None:
    durable = EmbeddedServers(embedded.folder, durable=True)
    with durable.attach(BOTH) as urls:
        with psycopg.connect(urls[OWNER_URL]) as connection:
            connection.execute("CREATE TABLE answers AS SELECT 42 AS answer")
        for pid in _pids(durable).values():
            os.kill(pid, signal.SIGKILL)
    with durable.attach(BOTH) as urls, psycopg.connect(urls[OWNER_URL]) as connection:
        assert connection.execute("SELECT answer FROM answers").fetchone() == (42,)


def test_dead_servers_restart_at_their_address_with_their_rows() -> None:
    embedded = EmbeddedServers(ROOT / ".data" / "test" / f"embedded-{uuid4().hex[:8]}", durable=True)
    try:
        with embedded.attach(BOTH) as urls:
            with psycopg.connect(urls[OWNER_URL]) as connection:
                connection.execute("CREATE TABLE answers AS SELECT 42 AS answer")
            redis.Redis.from_url(urls["REDIS_URL"]).set("answer", "43")
            assert embedded.restart_dead(urls) == []
            died = _pids(embedded)
            for pid in died.values():
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not embedded.recorded(), "the end of the killed servers")
            assert embedded.restart_dead(urls) == ["PostgreSQL", "Valkey"]
            assert set(died.values()).isdisjoint(_pids(embedded).values())
            with psycopg.connect(urls[OWNER_URL]) as connection:
                assert connection.execute("SELECT answer FROM answers").fetchone() == (42,)
            assert redis.Redis.from_url(urls["REDIS_URL"]).get("answer") == b"43"
            assert embedded.restart_dead(urls) == []
        assert _pids(embedded) == {}
    finally:
        embedded.stop()
        _remove(embedded.folder)


def test_a_server_that_the_variables_do_not_name_is_not_restarted(embedded: EmbeddedServers) -> None:
    with embedded.attach(("valkey",)):
        os.kill(_pids(embedded)["valkey"], signal.SIGKILL)
        wait_until(lambda: not embedded.recorded(), "the end of the killed servers")
        assert embedded.restart_dead({"REDIS_URL": "redis://elsewhere"}) == []
        assert _pids(embedded) == {}


def test_a_taken_port_is_reported_in_one_sentence(embedded: EmbeddedServers) -> None:
    with embedded.attach(("valkey",)) as urls, closing(socket.socket()) as other:
        server = embedded.recorded()["valkey"]
        server.process.stop(signal.SIGKILL, patience_s=5)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        assert server_process.port_for(server.port) == server.port
        other.bind((server_process.HOST, server.port))
        other.listen()
        with pytest.raises(EmbeddedServerError, match=r"^Valkey ended, and another program now uses its port\.$"):
            embedded.restart_dead(urls)


def test_a_user_after_a_crash_gets_the_old_address(embedded: EmbeddedServers) -> None:
    with embedded.attach(("valkey",)) as urls:
        embedded.recorded()["valkey"].process.stop(signal.SIGKILL, patience_s=5)
        with embedded.attach(("valkey",)) as later:
            assert later == urls
            assert set(_pids(embedded)) == {"valkey"}


def test_a_start_that_fails_leaves_no_other_server_behind(
    embedded: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ProcessIdentity] = []

    def no_program() -> Path:
        seen.extend(server.process for server in embedded.recorded().values())
        raise EmbeddedServerError("There is no Valkey.")

    monkeypatch.setattr(paths, "valkey_program", no_program)
    with pytest.raises(EmbeddedServerError, match="no Valkey"):
        embedded.attach(BOTH).__enter__()
    assert len(seen) == 1
    assert not seen[0].alive


def test_an_interrupted_start_leaves_no_server(tmp_path: Path) -> None:
    started_at: list[ProcessIdentity | None] = []

    def interrupted() -> bool:
        pid_file = tmp_path / "pid"
        if not pid_file.exists() or not pid_file.read_text():
            return False
        started_at.append(ProcessIdentity.of(int(pid_file.read_text())))
        raise KeyboardInterrupt

    code = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        server_process.launch(
            "Sleeper", [sys.executable, "-c", code, str(tmp_path / "pid")], log=tmp_path / "log", ready=interrupted
        )
    assert len(started_at) == 1
    assert started_at[0] is not None
    assert not started_at[0].alive


def test_unrecorded_servers_are_replaced(embedded: EmbeddedServers) -> None:
    with embedded.attach(BOTH):
        unrecorded = [server.process for server in embedded.recorded().values()]
        (embedded.folder / "run.json").unlink()
        with EmbeddedServers(embedded.folder, durable=False).attach(BOTH) as urls:
            assert [process.alive for process in unrecorded] == [False, False]
            with psycopg.connect(urls["DATABASE_URL"]) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_reused_process_id_is_not_trusted(embedded: EmbeddedServers) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        embedded.folder.mkdir(parents=True)
        record = f'{{"postgres": {{"pid": {bystander.pid}, "started_at": "long ago", "port": 5432}}}}'
        (embedded.folder / "run.json").write_text(record)
        assert embedded.recorded() == {}
        embedded.stop()
        assert bystander.poll() is None
        ProcessIdentity(bystander.pid, "long ago").stop(signal.SIGKILL, patience_s=0.1)
        assert bystander.poll() is None
        bystander.kill()


def test_passwords_are_only_in_private_files(embedded: EmbeddedServers) -> None:
    with embedded.attach(BOTH):
        password = (embedded.folder / "servers.password").read_text()
        shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert len(password) >= 24
        assert password not in shown
        holders = [path for path in embedded.folder.glob("*") if path.is_file() and password in path.read_text()]
        assert sorted(path.name for path in holders) == ["servers.password", "valkey.conf"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}


def test_a_wrong_password_opens_neither_server(embedded: EmbeddedServers) -> None:
    with embedded.attach(BOTH) as urls:
        password = (embedded.folder / "servers.password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(re.sub(r":\w+@", ":guess@", urls["DATABASE_URL"]))
        port = embedded.recorded()["valkey"].port
        assert [valkey.answers(port, guess) for guess in ("guess", password)] == [False, True]


def test_a_closed_folder_keeps_its_mode_and_the_servers_run(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    embedded = EmbeddedServers(closed / "clone" / ".data", durable=False)
    try:
        with embedded.attach(BOTH) as urls, psycopg.connect(urls["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        _remove(embedded.folder)


def test_two_data_folders_at_once_have_servers_of_their_own(embedded: EmbeddedServers) -> None:
    other = EmbeddedServers(embedded.folder.with_name(f"{embedded.folder.name}-b"), durable=False)
    try:
        with embedded.attach(BOTH) as ours, other.attach(BOTH) as theirs:
            assert set(ours.values()).isdisjoint(theirs.values())
            assert set(_pids(embedded).values()).isdisjoint(_pids(other).values())
    finally:
        _remove(other.folder)


def test_given_urls_are_used_as_they_are(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgres://somewhere/else", "REDIS_URL": "redis://somewhere"}
    variables = dict(given)
    with servers.ensure_servers(variables, tmp_path / "unused"):
        assert variables == given
    assert not (tmp_path / "unused").exists()


def test_only_missing_servers_are_started(embedded: EmbeddedServers) -> None:
    variables = {"DATABASE_URL": "postgres://somewhere/else"}
    with servers.ensure_servers(variables, embedded.folder, durable=False):
        assert set(_pids(embedded)) == {"valkey"}
        assert variables["REDIS_URL"].startswith("redis://:")
    assert variables == {"DATABASE_URL": "postgres://somewhere/else"}


def test_a_folder_that_cannot_be_created_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddedServerError, match=r"^The data folder .* cannot be created: .*\.$"):
        EmbeddedServers(tmp_path / "file" / "data").attach(BOTH).__enter__()


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("", False), ("help", False), ("check", False), ("check --database default", True), ("makemigrations", False),
        ("collectstatic --noinput", False), ("spectacular", False), ("evaluate", False), ("migrate --help", False),
        ("migrate", True), ("train", True), ("predict AAPL", True), ("demo", True), ("runserver", True),
    ],
)  # fmt: skip
def test_only_commands_that_need_servers_get_them(command: str, needed: bool) -> None:
    assert servers.needs_servers(["manage.py", *command.split()]) is needed


def test_the_package_is_light() -> None:
    code = "import sys, config.devserver.servers; print('django' in sys.modules, 'numpy' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]
