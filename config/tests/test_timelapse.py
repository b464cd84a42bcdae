"""The time-lapse: its plan, its isolation, and the flow from prices to open pages on a simulated clock."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from config.devserver.paths import ROOT
from config.devserver.server_process import HOST
from config.devserver.simulation_env import isolate_time_lapse
from config.devserver.timelapse import ReplayPlan, evening_of, reset_time_lapse
from config.tests.test_demo import free_pair

FIRST = "2023-09-07"
# The sessions of XNYS after 7 September 2023 up to the 21st, with which the sample ends.
REPLAYED = [f"2023-09-{day:02}" for day in (8, 11, 12, 13, 14, 15, 18, 19, 20, 21)]
FINISHED = "All days replayed. The site runs until Ctrl-C."
STOP_LIMIT_S = 120


def test_a_plan_is_every_session_after_the_first() -> None:
    plan = ReplayPlan.read(start=FIRST, every="5s", sessions=None)
    assert plan == ReplayPlan(date(2023, 9, 7), tuple(map(date.fromisoformat, REPLAYED)), 5.0)
    assert ReplayPlan.read(start=FIRST, every="1.5m", sessions=2) == ReplayPlan(plan.first, plan.sessions[:2], 90.0)


@pytest.mark.parametrize(
    ("start", "every", "sessions", "sentence"),
    [
        ("yesterday", "5s", None, "--from must be a date such as 2023-06-01, not 'yesterday'."),
        ("2023-09-09", "5s", None, "2023-09-09 is not a session of XNYS."),
        ("2023-09-21", "5s", None, "The sample ends on 2023-09-21, so a time-lapse must begin before that."),
        ("2016-01-29", "5s", None, "A model needs 776 sessions to learn from; up to 2016-01-29 the sample has 775."),
        (FIRST, "often", None, "--every must be a time such as 5s or 1m, at most 3600 s, not 'often'."),
        (FIRST, "61m", None, "--every must be a time such as 5s or 1m, at most 3600 s, not '61m'."),
        (FIRST, "5s", 0, "--sessions must be at least 1, not 0."),
    ],
)
def test_an_invalid_plan_is_refused_in_one_sentence(
    start: str, every: str, sessions: int | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        ReplayPlan.read(start=start, every=every, sessions=sessions)
    assert str(refused.value) == sentence


def test_an_early_close_moves_the_evening() -> None:
    # New York closes at 16:00, which is 20:00 UTC in summer; on 3 July 2023 at 13:00, 17:00 UTC.
    assert evening_of(date(2023, 7, 5)).isoformat() == "2023-07-05T20:30:00+00:00"
    assert evening_of(date(2023, 7, 3)).isoformat() == "2023-07-03T17:30:00+00:00"


def test_a_time_lapse_has_everything_of_its_own(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgres://real/one", "REDIS_URL": "redis://real", "EMAIL_URL": "smtp://real"}
    variables = {"HINDCAST_DATA_DIR": str(tmp_path), **given}
    isolate_time_lapse(["manage.py", "timelapse"], variables)
    assert variables == {
        "HINDCAST_DATA_DIR": str(tmp_path / "timelapse"), "HINDCAST_CLOCK": "simulated", "HINDCAST_PROVIDERS": "sample",
    }  # fmt: skip
    for_others = dict(given)
    isolate_time_lapse(["manage.py", "demo"], for_others)
    assert for_others == given


def test_a_real_site_is_never_emptied() -> None:
    with pytest.raises(ValueError, match="only a time-lapse can be reset"):
        reset_time_lapse()


@pytest.mark.slow
def test_prices_forecasts_scores_alerts_and_open_pages_move_session_by_session(tmp_path: Path) -> None:
    port = free_pair()
    with _timelapse(tmp_path, port) as process:
        _printed_up_to(process, "Ctrl-C ends it.")
        site = f"http://{HOST}:{port}"
        with connect(f"ws://{HOST}:{port + 1}/ws/stream", origin=Origin(site)) as socket:
            socket.send(json.dumps({"action": "subscribe", "channel": "forecasts", "symbols": ["AAPL"]}))
            lines = _printed_up_to(process, FINISHED)
            seen = _sessions_seen(socket)
        assert [line[:10] for line in lines if " prices " in line] == REPLAYED
        assert all("     6 prices   24 forecasts" in line for line in lines if " prices " in line)
        # The worker announces the first model's promotion meanwhile, so a session may appear twice.
        moved = [session for session in dict.fromkeys(seen) if session != FIRST]
        assert moved == REPLAYED[-len(moved) :]
        assert len(moved) >= 8
        _check_the_end(site)
        sent = [mail.read_text() for mail in (tmp_path / "timelapse" / "mail").glob("*")]
        # Staff also get the daily ledger head.
        mails = [mail for mail in sent if "Subject: Ledger head of " not in mail]
        assert sum(int(line.split(" alerts")[0].split()[-1]) for line in lines if " alerts " in line) == len(mails) > 0
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(STOP_LIMIT_S) == 0


def _check_the_end(site: str) -> None:
    """On the last evening forecasts are fresh and pages show that day."""
    body = httpx.get(f"{site}/api/v1/predict?symbol=AAPL&horizon=5").json()
    assert (body["as_of"], body["target_date"], body["kind"], body["stale"]) == (
        REPLAYED[-1],
        "2023-09-28",
        "live",
        False,
    )
    page = httpx.get(f"{site}/stocks/AAPL").text
    assert "Time-lapse:" in page
    assert "21 Sep 2023" in page
    later = httpx.get(f"{site}/api/v1/prices/AAPL?from=2023-09-15").json()
    assert max(bar["session"] for bar in later["bars"]) == REPLAYED[-1]


def _sessions_seen(socket: ClientConnection) -> list[str]:
    """The sessions of the changes that have reached the socket, in order."""
    sessions: list[str] = []
    while True:
        try:
            message: dict[str, Any] = json.loads(socket.recv(timeout=2))
        except TimeoutError:
            return sessions
        if message["type"] == "change" and message["as_of"] not in sessions[-1:]:
            sessions.append(message["as_of"])


@contextmanager
def _timelapse(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    variables = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    variables |= {"HINDCAST_DATA_DIR": str(folder), "HINDCAST_PORT": str(port), "HINDCAST_LOG_LEVEL": "WARNING"}
    with subprocess.Popen(
        [sys.executable, "manage.py", "timelapse", "--from", FIRST, "--every", "0s"],
        cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(STOP_LIMIT_S)


def _printed_up_to(process: "subprocess.Popen[str]", end: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1].endswith(end):
            return lines
    raise AssertionError("The time-lapse ended early:\n" + "\n".join(lines))
