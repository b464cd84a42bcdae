"""Times that a forger with every right writes into the ledger are found by both verifiers, whose hashes all fit."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from predictions.ledger_payload import GENESIS, chain_hash
from predictions.models import Forecast
from predictions.services.ledger import record_head
from predictions.services.verification import verify_ledger
from predictions.tests.factories import EVENING, at, forecast, model_version, stock
from predictions.tests.tampering import alter, fault, rechain

pytestmark = pytest.mark.django_db

IN_FRONT = "it was recorded before the {} or head in front of it"
ADVANCED = "kind = 'live', recorded_at = '2023-09-14 20:30+00'"
# What the forger drops, the columns of the newest row, and the reasons of manage.py and of the stand-alone verifier.
FORGERIES = {
    "live afterwards": (
        "CONSTRAINT forecast_live_means_before", "kind = 'live'",
        "it is called live, but it was recorded after trading went on",
        "it is called live, but it was recorded after trading went on",
    ),
    "late in time": (
        "CONSTRAINT forecast_late_means_after", "live_until = '2023-09-18 13:30+00'",
        "it is called late, but it was recorded before trading went on",
        "it is called late, but it was recorded before trading went on",
    ),
    "before its session ended": (
        "CONSTRAINT forecast_recorded_after_close", "origin_closed_at = '2023-09-15 14:31+00', kind = 'republished'",
        "its times contradict one another",
        "its times contradict one another",
    ),
    "a window beyond the target": (
        "CONSTRAINT forecast_live_until_target_at_most", "live_until = '2023-09-22 00:00+00', kind = 'live'",
        "its times contradict one another",
        "its times contradict one another",
    ),
    "a second live forecast": (
        "CONSTRAINT forecast_live_means_before", "instrument_id = {first.instrument_id}, symbol = 'AAPL'",
        "it repeats forecast {first.pk}: a stock, origin and horizon have one live or late forecast",
        "an earlier line is the live or late forecast of this stock, day and horizon",
    ),
    # The stand-alone verifier knows no calendars.
    "a window longer than the calendar's": (
        "CONSTRAINT forecast_live_means_before", "live_until = '2023-09-18 13:30+00', kind = 'live'",
        "its live window is longer than that of XNAS, which ends at 2023-09-15T13:30:00+00:00",
        None,
    ),
    "no session": (
        "CONSTRAINT forecast_live_means_before",
        "origin = '2023-09-16', live_until = '2023-09-18 13:30+00', kind = 'live'",
        "it is called live, but 2023-09-16 is no session of XNAS",
        None,
    ),
    "back-dated": (None, ADVANCED, "it was recorded before the row in front of it", IN_FRONT.format("line")),
}  # fmt: skip


@pytest.fixture
def first() -> Forecast:
    """A live forecast, in front of a late one of another stock."""
    model_version()
    row = forecast(stock())
    forecast(stock("META"), kind="late")
    return row


@pytest.mark.parametrize(("dropped", "columns", "reason", "alone"), FORGERIES.values(), ids=FORGERIES)
def test_times_that_contradict_are_named(
    first: Forecast, tmp_path: Path, dropped: str | None, columns: str, reason: str, alone: str | None
) -> None:
    assert verify_ledger().forecasts == 2
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if dropped:
            cursor.execute(f"ALTER TABLE predictions_forecast DROP {dropped}")
        cursor.execute("DROP INDEX forecast_first_published_once")
    key = first.pk + 1
    alter(f"UPDATE predictions_forecast SET {columns.format(first=first)} WHERE id = {key}")
    rechain()
    assert (fault().reason, fault().forecast_id) == (reason.format(first=first), key)
    code, printed = _alone(tmp_path)
    if alone is None:
        assert code == 0
    else:
        assert (code, printed.split(": ", 1)[1].strip()) == (1, f"{alone}.")


def test_a_chain_rewritten_behind_a_head_is_found_by_the_head(first: Forecast, tmp_path: Path, client: Client) -> None:
    """The forger makes the late row a live one, in order with its neighbours, but the head in front was later."""
    alter(f"DELETE FROM predictions_forecast WHERE id > {first.pk}")
    record_head(clock=at(EVENING))
    forecast(stock("NVDA"), kind="late")
    heads = tmp_path / "heads.json"
    heads.write_bytes(client.get("/api/v1/ledger/heads").content)
    assert _alone(tmp_path, heads)[0] == 0
    alter(f"UPDATE predictions_forecast SET kind = 'live', recorded_at = '2023-09-14 22:04+00' WHERE id > {first.pk}")
    rechain()
    assert fault().reason == "it was recorded before the head of 2023-09-14 in front of it"
    code, printed = _alone(tmp_path, heads)
    assert (code, printed.split(": ", 1)[1]) == (1, f"{IN_FRONT.format('line')}.\n")
    # Without a head the rewritten chain is as good as any.
    assert _alone(tmp_path)[0] == 0


def test_a_chain_rewritten_whole_differs_from_the_heads(first: Forecast, tmp_path: Path, client: Client) -> None:
    record_head(clock=at(forecast(stock("NVDA"), kind="late").recorded_at))
    heads = tmp_path / "heads.json"
    heads.write_bytes(client.get("/api/v1/ledger/heads").content)
    alter(f"UPDATE predictions_forecast SET kind = 'live', recorded_at = '2023-09-14 22:04+00' WHERE id > {first.pk}")
    rechain()
    assert "the chain has another hash after 3 forecasts" in fault().reason
    assert "the saved head has another hash at this place" in _alone(tmp_path, heads)[1]


def test_a_head_recorded_before_the_rows_it_covers_is_found(first: Forecast, tmp_path: Path, client: Client) -> None:
    alter(f"DELETE FROM predictions_forecast WHERE id > {first.pk}")
    record_head(clock=at(EVENING))
    heads = tmp_path / "heads.json"
    later = client.get("/api/v1/ledger/heads").content.replace(b"T22:05:00", b"T20:05:00")
    heads.write_bytes(later)
    assert "it was recorded after the head that covers it" in _alone(tmp_path, heads)[1]


@pytest.mark.parametrize("time", ["yesterday", "2023-09-14T21:00:00"])
def test_times_that_cannot_be_read_are_named(first: Forecast, tmp_path: Path, time: str) -> None:
    stored = "2023-09-14T21:00:00.000000+00:00"
    alter(
        "UPDATE predictions_forecast SET payload = replace(payload, %s, %s)",
        [f'"recorded_at":"{stored}', f'"recorded_at":"{time}'],
    )
    _hash_payloads()
    assert "its times cannot be read" in _alone(tmp_path)[1]


def _hash_payloads() -> None:
    """Chain the stored payloads again as they are."""
    previous = GENESIS
    for key, payload in list(Forecast.objects.order_by("pk").values_list("pk", "payload")):
        entry = chain_hash(previous, payload)
        alter(
            "UPDATE predictions_forecast SET previous_hash = %s, entry_hash = %s WHERE id = %s", [previous, entry, key]
        )
        previous = entry


def _alone(folder: Path, *heads: Path) -> tuple[int, str]:
    """Exit code and output of the stand-alone verifier for an export of the stored ledger."""
    export = folder / "ledger.jsonl"
    call_command("export_ledger", str(export), stdout=StringIO())
    command = [sys.executable, "-I", "-S", "docs/verify_ledger.py", str(export), *map(str, heads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
