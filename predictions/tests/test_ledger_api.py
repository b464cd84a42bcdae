"""The ledger by HTTP: heads, rows as they were hashed, single forecasts; and the verifier that needs none of this."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings

from predictions.models import Forecast, ForecastInput, Toolchain
from predictions.services.ledger import GENESIS, record_head
from predictions.tests.factories import NOW, ORIGIN, abstention, at, forecasts, model_version, stock
from predictions.tests.tampering import alter
from predictions.tests.test_schema import validator

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


@pytest.fixture(autouse=True)
def _room(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1000)


@pytest.fixture
def rows() -> list[Forecast]:
    """Four forecasts with inputs and a toolchain, and an abstention without."""
    model_version()
    apple, nvidia = stock("AAPL"), stock("BRK.B")
    inputs = ForecastInput.objects.create(
        instrument=apple, origin=ORIGIN, feature_set="hc1", sha256="ab" * 32, rows=1, columns=1, block=b"x"
    )
    tools = Toolchain.objects.create(versions="numpy 2.4.6, torch 2.13.0")
    return [*forecasts([apple, nvidia], (1, 5), inputs=inputs, toolchain=tools), abstention(stock("META"))]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


def conforms(schema: dict[str, Any], path: str, answer: Any) -> None:
    """The answer conforms to the path's schema."""
    validator(schema, schema["paths"][path]["get"], str(answer.status_code)).validate(answer.json())


def test_a_stored_forecast_is_shown_with_its_hashes(
    client: Client, rows: list[Forecast], schema: dict[str, Any]
) -> None:
    answer = client.get(f"/api/v1/forecasts/{rows[1].pk}")
    received = answer.json()
    assert answer.status_code == 200
    assert (received["id"], received["symbol"], received["horizon"], received["predicted_price"]) == (
        rows[1].pk,
        "AAPL",
        5,
        102.0,
    )
    assert (received["previous_hash"], received["entry_hash"]) == (rows[0].entry_hash, rows[1].entry_hash)
    assert (received["fit"], received["toolchain"]) == ("serving", {"numpy": "2.4.6", "torch": "2.13.0"})
    assert received["inputs_sha256"] == "ab" * 32
    assert not {"stale", "fresh_until", "record"} & received.keys()
    assert "immutable" in answer["Cache-Control"]
    assert answer["ETag"] == f'"{rows[1].entry_hash}"'
    conforms(schema, "/api/v1/forecasts/{forecast_id}", answer)
    conforms(schema, "/api/v1/forecasts/{forecast_id}", client.get(f"/api/v1/forecasts/{rows[-1].pk}"))


def test_a_stored_forecast_is_not_sent_again_for_its_etag(client: Client, rows: list[Forecast]) -> None:
    path = f"/api/v1/forecasts/{rows[0].pk}"
    expected = client.get(path)["ETag"]
    again = client.get(path, headers={"If-None-Match": expected})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("key", ["4711", "9" * 30])
def test_an_unknown_forecast_is_a_problem(client: Client, key: str) -> None:
    answer = client.get(f"/api/v1/forecasts/{key}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems#unknown-forecast")
    assert "RateLimit" in answer


def test_the_head_is_where_the_chain_ends_now(client: Client, rows: list[Forecast], schema: dict[str, Any]) -> None:
    record_head(clock=at(NOW))
    more = forecasts([stock("AMZN")], kind="late")
    answer = client.get("/api/v1/ledger/head")
    received = answer.json()
    assert (received["count"], received["last_forecast"], received["head_hash"]) == (6, more[0].pk, more[0].entry_hash)
    assert (received["day_head"]["day"], received["day_head"]["count"]) == ("2023-09-21", 5)
    conforms(schema, "/api/v1/ledger/head", answer)
    assert client.get("/api/v1/ledger/head", headers={"If-None-Match": answer["ETag"]}).status_code == 304


def test_a_daily_head_does_not_change(client: Client, rows: list[Forecast], schema: dict[str, Any]) -> None:
    head, _ = record_head(clock=at(NOW))
    assert head is not None
    forecasts([stock("AMZN")], kind="late")
    record_head(clock=at(NOW + timedelta(days=1)))
    answer = client.get("/api/v1/ledger/head?day=2023-09-21")
    received = answer.json()
    assert (received["count"], received["head_hash"]) == (5, rows[-1].entry_hash)
    assert received["day_head"] == {
        "day": "2023-09-21", "count": 5, "last_forecast": rows[-1].pk, "head_hash": rows[-1].entry_hash,
        "outcomes": 0, "last_outcome": 0, "outcomes_hash": GENESIS,
        "recorded_at": "2023-09-21T22:05:00.000000+00:00", "key_id": head.key_id, "payload": head.payload,
        "previous_hash": GENESIS, "entry_hash": head.entry_hash, "signature": head.signature,
    }  # fmt: skip
    conforms(schema, "/api/v1/ledger/head", answer)
    all_days = client.get("/api/v1/ledger/heads")
    assert [day["day"] for day in all_days.json()["heads"]] == ["2023-09-22", "2023-09-21"]
    conforms(schema, "/api/v1/ledger/heads", all_days)


def test_an_empty_ledger_has_an_empty_head(client: Client, schema: dict[str, Any]) -> None:
    answer = client.get("/api/v1/ledger/head")
    assert answer.json() == {"count": 0, "last_forecast": None, "head_hash": GENESIS, "day_head": None}
    conforms(schema, "/api/v1/ledger/head", answer)
    assert client.get("/api/v1/ledger/entries").content == b""


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [("head?day=2023-09-20", 404, "unknown-head"), ("head?day=yesterday", 400, "invalid-request"),
     ("entries?limit=0", 400, "invalid-request"), ("entries?after=-1", 400, "invalid-request")],
)  # fmt: skip
def test_an_unanswerable_call_is_a_problem(client: Client, query: str, status: int, slug: str) -> None:
    answer = client.get(f"/api/v1/ledger/{query}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/api/problems#{slug}")


def fetched(client: Client, limit: int) -> Iterator[str]:
    """The whole ledger, part by part, as the links lead."""
    path = f"/api/v1/ledger/entries?limit={limit}"
    while path:
        answer = client.get(path, headers={"Accept": "application/x-ndjson"})
        assert answer["Content-Type"] == "application/x-ndjson; charset=utf-8"
        yield answer.content.decode()
        path = answer.get("Link", "").partition(">")[0].removeprefix("<")


def test_the_same_lines_are_sent_as_plain_text_if_requested(client: Client, rows: list[Forecast]) -> None:
    path = "/api/v1/ledger/entries"
    lines = client.get(path).content
    for answer in (client.get(f"{path}?format=text"), client.get(path, headers={"Accept": "text/plain"})):
        assert (answer["Content-Type"], answer.content) == ("text/plain; charset=utf-8", lines)
    assert lines.count(b"\n") == len(rows)


@pytest.mark.parametrize(("limit", "parts"), [(2, 3), (5, 1), (100, 1)])
def test_the_ledger_is_sent_in_pages(
    client: Client, rows: list[Forecast], tmp_path: Path, limit: int, parts: int
) -> None:
    received = list(fetched(client, limit))
    call_command("export_ledger", str(tmp_path / "ledger.jsonl"), stdout=StringIO())
    assert len(received) == parts
    assert "".join(received) == (tmp_path / "ledger.jsonl").read_text()


def verified(*paths: Path) -> tuple[int, str]:
    """Exit code and output of the independent verifier, which may import nothing of ours."""
    command = [sys.executable, "-I", "-S", "docs/verify_ledger.py", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def export(rows: list[Forecast], tmp_path: Path) -> Path:
    """The exported ledger of five rows."""
    path = tmp_path / "ledger.jsonl"
    received = StringIO()
    call_command("export_ledger", str(path), stdout=received)
    assert received.getvalue() == f"5 forecasts written to {path}.\n"
    return path


def test_an_export_is_verified_without_this_software(client: Client, rows: list[Forecast], export: Path) -> None:
    record_head(clock=at(NOW))
    head = export.with_name("head.json")
    for query in ("", "?day=2023-09-21"):
        head.write_bytes(client.get(f"/api/v1/ledger/head{query}").content)
        code, report = verified(export, head)
        assert (code, report.splitlines()[0]) == (0, verified(export)[1].strip())
    assert verified(export) == (0, f"5 forecasts verified; the last hash is {rows[-1].entry_hash}.\n")


def test_an_altered_export_is_found_without_this_software(client: Client, rows: list[Forecast], export: Path) -> None:
    head = export.with_name("head.json")
    head.write_bytes(client.get("/api/v1/ledger/head").content)
    whole = export.read_text().splitlines(keepends=True)
    name = f"Line 2, forecast {rows[1].pk} of AAPL"
    lowered = whole[1].replace(r"\"predicted_price\":\"102\"", r"\"predicted_price\":\"101\"")
    assert lowered != whole[1]
    altered = {
        f"{name}: its payload does not match its hash.\n": [whole[0], lowered, *whole[2:]],
        f"Line 1, forecast {rows[1].pk} of AAPL: the line before it is missing or out of order.\n": whole[1:],
        f"Line 2, forecast {rows[2].pk} of BRK.B: the line before it is missing or out of order.\n":
            [whole[0], whole[2], whole[1], *whole[3:]],
        "The saved head counts 5 forecasts, but the export ends after 4.\n": whole[:4],
    }  # fmt: skip
    for complaint, lines in altered.items():
        export.write_text("".join(lines))
        assert verified(export, head) == (1, complaint)
    assert len(altered) == 4


@pytest.mark.parametrize("received", ["[]", "{}", '{"title": "Rate limit exceeded"}', '{"count": "5"}'])
def test_a_file_that_is_no_head_proves_nothing(export: Path, received: str) -> None:
    head = export.with_name("head.json")
    head.write_text(received)
    assert verified(export, head) == (1, "The saved head is not a head of a ledger.\n")


def test_an_export_that_ends_within_a_line_is_found(export: Path) -> None:
    export.write_text(export.read_text()[:-20])
    assert verified(export) == (1, "Line 5 is not a line of an export.\n")
    assert verified()[0] == 1


def test_a_forged_ledger_differs_from_the_saved_head(client: Client, rows: list[Forecast], export: Path) -> None:
    head = export.with_name("head.json")
    head.write_bytes(client.get("/api/v1/ledger/head").content)
    alter(f"DELETE FROM predictions_forecast WHERE id = {rows[-1].pk}")
    forged = abstention(rows[-1].instrument, reasons=["forged"])
    call_command("export_ledger", str(export), stdout=StringIO())
    assert verified(export)[0] == 0
    complaint = f"Line 5, forecast {forged.pk} of META: the saved head has another hash at this place.\n"
    assert verified(export, head) == (1, complaint)


def test_an_export_contains_the_payloads_and_can_start_anywhere(rows: list[Forecast], export: Path) -> None:
    payloads = [json.loads(line)["payload"] for line in export.read_text().splitlines()]
    assert payloads == [row.payload for row in rows]
    second, last = json.loads(payloads[1]), json.loads(payloads[4])
    assert (second["symbol"], second["predicted_price"], last["reasons"]) == ("AAPL", "102", ["too little history"])
    call_command("export_ledger", str(export), after=rows[3].pk, stdout=StringIO())
    assert len(export.read_text().splitlines()) == 1


def test_a_failed_export_leaves_the_previous_file(rows: list[Forecast], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        call_command("export_ledger", str(tmp_path / "nowhere" / "ledger.jsonl"))
    assert list(tmp_path.iterdir()) == []
