"""The demo: refusals, supervision, and the whole run from start to Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from config.devserver import preflight
from config.devserver.demo import clear_metrics, demo_variables
from config.devserver.embedded_servers import EmbeddedServers
from config.devserver.errors import EmbeddedServerError
from config.devserver.paths import ROOT
from config.devserver.process_identity import ProcessIdentity
from config.devserver.server_process import HOST, free_port
from config.devserver.supervisor import Program, Restarts, Supervisor, stop_recorded_processes
from config.tests.waiting import wait_until
from marketdata.calendars import is_session
from predictions.conf import HORIZONS

SYMBOLS = ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")
STOP_LIMIT_S = 120
LAST_LINE = "Ctrl-C stops everything."
SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
PARENT_THAT_IS_KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from config.devserver.supervisor import Program, Supervisor
supervisor = Supervisor(Path(sys.argv[1]), print)
supervisor.start(Program("sleeper", (sys.executable, "-c", "import time; time.sleep(60)"), {}))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, messages: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, messages.append)
    yield made
    made.stop()


def free_pair() -> int:
    """Return a free port whose successor is free too, for the site and the stream."""
    port = free_port()
    while preflight.port_in_use(port + 1):
        port = free_port()
    return port


def _recorded(folder: Path) -> list[ProcessIdentity]:
    written = json.loads((folder / "demo.json").read_text())
    return [ProcessIdentity(one["pid"], one["started_at"]) for one in written]


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_in_use_is_reported_in_one_sentence(taken: int, tmp_path: Path) -> None:
    port = free_pair()
    busy = port + taken
    with socket.create_server((HOST, busy)):
        variables = {**os.environ, "HINDCAST_PORT": str(port), "HINDCAST_DATA_DIR": str(tmp_path)}
        finished = subprocess.run(
            [sys.executable, "manage.py", "demo"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
    assert finished.returncode == 2
    assert finished.stderr == f"Port {busy} is in use; set HINDCAST_PORT to another.\n"
    assert finished.stdout == ""


def test_metrics_of_earlier_processes_are_deleted_at_the_start(tmp_path: Path) -> None:
    folder = Path(demo_variables(8000, tmp_path, {})["PROMETHEUS_MULTIPROC_DIR"])
    clear_metrics(folder)
    (folder / "counter_7.db").write_bytes(b"old")
    clear_metrics(folder)
    assert (folder.is_dir(), list(folder.iterdir())) == (True, [])


def test_all_invalid_variables_are_reported_at_once(tmp_path: Path) -> None:
    wrong = {"HINDCAST_PORT": "abc", "HINDCAST_CACHE_SECONDS": "1", "HINDCAST_DATA_DIR": str(tmp_path)}
    finished = _refused_demo(wrong)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert all(name in finished.stderr for name in ("HINDCAST_PORT must be", "HINDCAST_CACHE_SECONDS: must"))


def test_an_unreachable_database_is_reported_in_one_sentence(tmp_path: Path) -> None:
    away = f"postgres://guest@{HOST}:{free_port()}/nothing"
    variables = {"DATABASE_URL": away, "HINDCAST_PORT": str(free_pair()), "HINDCAST_DATA_DIR": str(tmp_path)}
    finished = _refused_demo(variables | {"DJANGO_SETTINGS_MODULE": "config.settings.local"})
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert finished.stderr.splitlines()[-1].startswith("CommandError: The database cannot be used: ")


def _refused_demo(variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "demo"],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_second_demo_of_the_same_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HINDCAST_DATA_DIR", str(tmp_path))
    port = free_pair()
    monkeypatch.setenv("HINDCAST_PORT", str(port))
    arguments = ["manage.py", "demo"]
    with preflight.exclusive_site(arguments), socket.create_server((HOST, port)), pytest.raises(SystemExit) as left:
        preflight.exclusive_site(arguments).__enter__()
    assert left.value.code == 2
    assert capsys.readouterr().err == "A demo of this folder is already running; stop it first.\n"


def test_a_process_that_keeps_exiting_is_started_ever_more_rarely_while_others_run(
    tmp_path: Path, messages: list[str]
) -> None:
    now = [1000.0]
    made = Supervisor(tmp_path, messages.append, clock=lambda: now[0])
    try:
        made.start(Program("edge", SLEEP, {}))
        made.start(Program("web", (sys.executable, "-c", "print('no luck'); raise SystemExit(3)"), {}))
        for pause in ("", " in 1 s", " in 2 s", " in 4 s"):
            count = len(messages)
            assert made.watch_until(lambda seen=count: len(messages) > seen, seconds=STOP_LIMIT_S)  # type: ignore[misc]  # bound now
            assert messages[-1].startswith("web ended with code 3:\n  no luck")
            assert messages[-1].endswith(f"Starting web again{pause}.")
            now[0] += 4.0
        edge, _ = _recorded(tmp_path)
        assert edge.alive
    finally:
        made.stop()


def test_pauses_grow_to_a_minute_and_end_after_a_stable_run() -> None:
    restarts = Restarts()
    pauses = []
    now = 0.0
    for _ in range(10):
        pauses.append(restarts.note_end(now))
        assert not restarts.is_due(now) or not pauses[-1]
        now += pauses[-1] + 1.0
        assert restarts.is_due(now)
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert restarts.note_end(now + 600.0) == 0.0


def test_servers_that_cannot_start_are_tried_again(tmp_path: Path, messages: list[str]) -> None:
    now = [1000.0]
    failure = EmbeddedServerError("PostgreSQL cannot start: disk full.")
    results: Iterator[list[str] | EmbeddedServerError] = iter([["Valkey"], ["Valkey"], failure, ["PostgreSQL"]])

    def restart() -> list[str]:
        result = next(results, [])
        if isinstance(result, EmbeddedServerError):
            raise result
        return result

    supervisor = Supervisor(tmp_path, messages.append, restart, lambda: now[0])
    assert supervisor.watch_until(lambda: len(messages) == 4, seconds=STOP_LIMIT_S)
    assert messages == [
        "Valkey ended and was started again.",
        "Valkey ended and was started again.",
        "PostgreSQL cannot start: disk full. Trying again.",
        "PostgreSQL ended and was started again.",
    ]


def test_stopping_ends_every_process_with_its_children(supervisor: Supervisor, tmp_path: Path) -> None:
    child = tmp_path / "child"
    stubborn = (
        "import os, pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pid = os.fork(); pid and pathlib.Path(sys.argv[1]).write_text(str(pid)); time.sleep(60)"
    )
    supervisor.start(Program("plain", SLEEP, {}))
    supervisor.start(Program("stubborn", (sys.executable, "-c", stubborn, str(child)), {}))
    wait_until(lambda: child.exists() and child.read_text() != "", "the child's process id")
    identities = [*_recorded(tmp_path), ProcessIdentity.of(int(child.read_text()))]
    supervisor.stop()
    assert len(identities) == 3
    wait_until(lambda: not any(one is not None and one.alive for one in identities), "the end of every process")


def test_variables_of_a_program_reach_it(supervisor: Supervisor) -> None:
    shown = (sys.executable, "-c", "import os, time; print(os.environ['COLOUR'], flush=True); time.sleep(60)")
    supervisor.start(Program("web", shown, {"COLOUR": "amber"}))
    wait_until(lambda: supervisor.log_of("web").read_text() != "", "output of the program")
    assert supervisor.log_of("web").read_text() == "amber\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_processes_end_with_a_killed_demo(tmp_path: Path) -> None:
    _start_and_kill(tmp_path)
    (left,) = _recorded(tmp_path)
    wait_until(lambda: not left.alive, "the end of the orphaned process")
    assert not left.alive


def test_processes_of_a_killed_demo_are_stopped_at_the_next_start(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as left:
        identity = ProcessIdentity.of(left.pid)
        assert identity is not None
        (tmp_path / "demo.json").write_text(json.dumps([{"pid": identity.pid, "started_at": identity.started_at}]))
        stop_recorded_processes(tmp_path)
        assert left.wait(STOP_LIMIT_S) == -signal.SIGTERM
    assert not (tmp_path / "demo.json").exists()


def test_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as bystander:
        (tmp_path / "demo.json").write_text(json.dumps([{"pid": bystander.pid, "started_at": "long ago"}]))
        stop_recorded_processes(tmp_path)
        assert bystander.poll() is None
        bystander.kill()


def _start_and_kill(folder: Path) -> None:
    finished = subprocess.run([sys.executable, "-c", PARENT_THAT_IS_KILLED, str(folder)], cwd=ROOT, check=False)
    assert finished.returncode == -signal.SIGKILL


@contextmanager
def _demo(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """Run a demo with its own servers and SIGINT ignored, as a shell starts background jobs."""
    own = ("DATABASE_URL", "REDIS_URL", "HINDCAST_LIMIT_ANONYMOUS", "DJANGO_SETTINGS_MODULE")
    variables = {name: value for name, value in os.environ.items() if name not in own}
    variables |= {"HINDCAST_DATA_DIR": str(folder), "HINDCAST_PORT": str(port), "HINDCAST_PROVIDERS": "sample"}
    with subprocess.Popen(
        [sys.executable, "manage.py", "demo"],
        cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(STOP_LIMIT_S)


def _printed(process: "subprocess.Popen[str]") -> str:
    """Return the output of a demo up to its last line."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.strip() == LAST_LINE:
            return "".join(lines)
    raise AssertionError("The demo ended early:\n" + "".join(lines))


def _processes_of(folder: Path) -> list[str]:
    """Return every process that uses this data folder."""
    shown = subprocess.run(["ps", "-eww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    named = [line for line in shown.splitlines() if str(folder) in line]
    return named + [str(one.pid) for one in _recorded_if_any(folder) if one.alive]


def _recorded_if_any(folder: Path) -> list[ProcessIdentity]:
    return _recorded(folder) if (folder / "demo.json").exists() else []


@pytest.mark.slow
def test_the_whole_demo_from_first_start_to_second_after_a_kill(tmp_path: Path) -> None:
    port = free_pair()
    with _demo(tmp_path, port) as process:
        first = _printed(process)
        # 6 stocks, 4 horizons and 120 sessions; each is stored once.
        assert "2880 hindcasts created from 120 trading days, 2023-03-30 to 2023-09-20" in first
        assert re.search(r"staff@localhost  password: \S{12,}\n", first)
        assert "600 calls a minute for this demo" in first
        _check_answers(port)
        head = httpx.get(f"http://{HOST}:{port}/api/v1/ledger/head").json()
        # 120 sessions and the newest one, 24 forecasts each.
        assert (head["count"], head["day_head"]["count"]) == (2904, 2904)
        _check_that_servers_come_back(tmp_path, port)
        processes = _recorded(tmp_path)
        process.kill()
        process.wait(STOP_LIMIT_S)
    assert len(processes) == 5
    with _demo(tmp_path, port) as process:
        second = _printed(process)
        assert "Training" not in second
        assert "Hindcasting" not in second
        assert "changepassword staff@localhost" in second
        os.killpg(process.pid, signal.SIGINT)
        process.wait(STOP_LIMIT_S)
    assert not any(one.alive for one in processes)
    assert _processes_of(tmp_path) == []


def _check_answers(port: int) -> None:
    pairs = [(symbol, horizon) for symbol in SYMBOLS for horizon in HORIZONS]
    assert len(pairs) == 24
    for symbol, horizon in pairs:
        query = urlencode({"symbol": symbol, "horizon": horizon})
        answer = httpx.get(f"http://{HOST}:{port}/api/v1/predict?{query}")
        assert answer.status_code == httpx.codes.OK
        _check_body(answer.json(), symbol, horizon)


def _check_that_servers_come_back(folder: Path, port: int) -> None:
    """Kill both servers; they restart with their data and the site answers again."""
    before = EmbeddedServers(folder).recorded()
    for server in before.values():
        os.kill(server.process.pid, signal.SIGKILL)
    wait_until(lambda: _servers_answer(port) and len(EmbeddedServers(folder).recorded()) == 2, "both servers")
    after = EmbeddedServers(folder).recorded()
    assert {name: server.port for name, server in after.items()} == {name: one.port for name, one in before.items()}
    assert httpx.get(f"http://{HOST}:{port}/stocks/AAPL").status_code == httpx.codes.OK
    _check_answers(port)


def _servers_answer(port: int) -> bool:
    parts = httpx.get(f"http://{HOST}:{port}/health/ready", timeout=STOP_LIMIT_S).json()["parts"]
    return all(parts[name]["status"] == "ok" for name in ("database", "redis", "champion"))


def _check_body(body: dict[str, object], symbol: str, horizon: int) -> None:
    assert (body["symbol"], body["horizon"], body["stale"], body["data_source"]) == (symbol, horizon, True, "sample")
    assert body["as_of"] == "2023-09-21"
    assert is_session("XNYS", date.fromisoformat(str(body["target_date"])))
    if body["status"] == "issued":
        bands = body["confidence_interval"]
        assert isinstance(bands, dict)
        ends = [bands["99%"][0], bands["95%"][0], bands["80%"][0], body["predicted_price"],
                bands["80%"][1], bands["95%"][1], bands["99%"][1]]  # fmt: skip
        assert ends == sorted(ends)
