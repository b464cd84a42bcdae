"""Many stocks in one call: answered at once, or as a job that is cut into pieces."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import IntegrityError, OperationalError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import Plan, User
from marketdata import clock
from predictions import tasks
from predictions.conf import BATCH_RETENTION, MAX_BATCH_SYMBOLS, PIECE_CLAIM_TTL, PIECE_SIZE
from predictions.models import BatchJob, BatchPiece, Forecast
from predictions.readpath import batch_lookup
from predictions.selectors.batch import claimable_pieces
from predictions.services import batch
from predictions.services.batch import delete_expired_batches, open_batch, process_piece
from predictions.tests.factories import abstention, forecasts, model_version, stock
from store.client import redis_client
from store.user_messages import user_group

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

ADDRESS = reverse("predictions-api:batch")


@pytest.fixture(autouse=True)
def _room(settings: Settings, db: None) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)
    Plan.objects.update(per_minute=None, per_day=None)


@pytest.fixture
def ada(client: Client) -> User:
    person = User.objects.create_user("ada@example.com", "correct horse", plan_id="unlimited")
    client.force_login(person)
    return person


@pytest.fixture
def stored_forecasts() -> list[Forecast]:
    """Forecasts of Apple, Berkshire and NVIDIA; none of Meta."""
    model_version()
    abstention(stock("NVDA"))
    stock("META")
    return forecasts([stock("AAPL"), stock("BRK.B")])


def ask(client: Client, symbols: list[Any], **more: Any) -> Any:
    return client.post(ADDRESS, json.dumps({"symbols": symbols, **more}), content_type="application/json")


def words(count: int) -> list[str]:
    return [f"X{number}" for number in range(count)]


def test_one_call_answers_for_all_in_the_order_of_the_question(
    client: Client, stored_forecasts: list[Forecast]
) -> None:
    answer = ask(client, ["NVDA", "AAPLX", "brk/b", "no such thing", "META", "AAPL", "AAPL"])
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    assert [(one["symbol"], one["status"]) for one in predictions] == [
        ("NVDA", "abstained"),
        ("AAPLX", "problem"),
        ("brk/b", "issued"),
        ("no such thing", "problem"),
        ("META", "problem"),
        ("AAPL", "issued"),
    ]
    assert predictions[2]["forecast"]["id"] == stored_forecasts[1].pk
    assert predictions[5]["forecast"] == client.get("/api/v1/predict?symbol=AAPL").json()
    problems = [predictions[place]["problem"] for place in (1, 3, 4)]
    assert [(one["type"].rpartition("#")[2], one["status"]) for one in problems] == [
        ("unknown-symbol", 404),
        ("malformed-symbol", 400),
        ("forecast-unavailable", 503),
    ]
    assert problems[0]["suggestions"][0] == "AAPL"


def test_each_symbol_counts_as_a_call(client: Client, stored_forecasts: list[Forecast], settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=10)
    assert ask(client, ["AAPL", "BRK.B", "META"])["RateLimit"].startswith('"anonymous";r=7;')
    refused = ask(client, words(8))
    assert (refused.status_code, refused["RateLimit"].split(";")[1]) == (429, "r=7")
    assert client.post(ADDRESS, "{", content_type="application/json").status_code == 400
    assert ask(client, ["AAPL"])["RateLimit"].startswith('"anonymous";r=5;')


def test_the_second_call_needs_no_query(
    client: Client, stored_forecasts: list[Forecast], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = ask(client, ["AAPL", "BRK.B"]).json()
    with django_assert_num_queries(0):
        assert ask(client, ["AAPL", "BRK.B"]).json() == first


def test_the_number_of_queries_does_not_grow_with_the_symbols(
    stored_forecasts: list[Forecast], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    more = [stock(f"Y{number}") for number in range(30)]
    forecasts(more)
    now = clock.now()
    batch_lookup.lookup_many(["NVDA"], 5, now=now)
    with django_assert_num_queries(6):
        few = batch_lookup.lookup_many(["AAPL", "BRK.B"], 5, now=now)
    with django_assert_num_queries(6):
        rest = batch_lookup.lookup_many([one.symbol for one in more], 5, now=now)
    assert all(one.body for one in [*few, *rest])


@pytest.mark.parametrize(
    ("body", "at_fault"),
    [
        ({"symbols": []}, "symbols"),
        ({}, "symbols"),
        ({"symbols": "AAPL"}, "symbols"),
        ({"symbols": [{"a": 1}]}, "symbols"),
        ({"symbols": ["A" * 65]}, "symbols"),
        ({"symbols": ["A\0"]}, "symbols"),
        ({"symbols": ["AAPL"], "horizon": 3}, "horizon"),
        ({"symbols": [f"X{number}" for number in range(10_001)]}, "symbols"),
    ],
)
def test_an_invalid_batch_is_refused(client: Client, body: dict[str, Any], at_fault: str) -> None:
    answer = client.post(ADDRESS, json.dumps(body), content_type="application/json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [at_fault])
    assert BatchJob.objects.count() == 0


@pytest.mark.parametrize("body", [b'{"symbols":', b"\xff\xfe", b'{"symbols": [], "horizon": NaN}', b"[" * 9_000])
def test_an_unreadable_body_is_malformed(client: Client, body: bytes) -> None:
    answer = client.post(ADDRESS, body, content_type="application/json")
    assert (answer.status_code, answer.json()["title"]) == (400, "Malformed request")
    assert "RateLimit" in answer


def test_job_retry_after_respects_an_exhausted_minute(
    client: Client, ada: User, stored_forecasts: list[Forecast]
) -> None:
    assert ask(client, words(60))["Retry-After"] == "1"
    Plan.objects.filter(pk="free").update(per_minute=60)
    client.force_login(User.objects.create_user("eve@example.com", "correct horse", plan_id="free"))
    answer = ask(client, words(60))
    assert answer.status_code == 202
    assert 55 <= int(answer["Retry-After"]) <= 60


def test_database_outage_serves_cached_forecasts_and_problems_for_the_rest(
    client: Client, stored_forecasts: list[Forecast], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(client, ["AAPL"])

    def away(*_: object, **__: object) -> Any:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(batch_lookup, "champion", away)
    predictions = ask(client, ["AAPL", "BRK.B"]).json()["predictions"]
    assert (predictions[0]["status"], predictions[1]["problem"]["status"]) == ("issued", 503)
    key = next(redis_client().scan_iter("fc:*:AAPL:5"))
    redis_client().hset(key, "until", "0")
    (old,) = ask(client, ["AAPL"]).json()["predictions"]
    assert old["forecast"]["stale"] is True
    assert ask(client, ["BRK.B"]).status_code == 503


def test_without_the_store_the_database_answers(
    client: Client, stored_forecasts: list[Forecast], no_store: None
) -> None:
    (predictions,) = ask(client, ["AAPL"]).json()["predictions"]
    assert predictions["forecast"]["id"] == stored_forecasts[0].pk


def test_a_job_needs_an_owner(client: Client, stored_forecasts: list[Forecast]) -> None:
    answer = ask(client, words(51))
    assert (answer.status_code, answer.json()["type"].rpartition("#")[2]) == (401, "batch-needs-owner")
    assert BatchJob.objects.count() == 0


async def received(channel: str, count: int) -> list[dict[str, Any]]:
    """The next messages of a channel."""
    return [await get_channel_layer().receive(channel) for _ in range(count)]


def test_many_symbols_become_a_job_that_is_answered_page_by_page(
    client: Client,
    ada: User,
    stored_forecasts: list[Forecast],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    layer = get_channel_layer()
    channel = async_to_sync(layer.new_channel)()
    async_to_sync(layer.group_add)(user_group(ada.pk), channel)
    with django_capture_on_commit_callbacks() as sent:
        answer = ask(client, ["AAPL", *words(PIECE_SIZE + 4), "no such thing"])
    assert (answer.status_code, len(sent)) == (202, 1)
    job = answer.json()
    assert (job["status"], job["total"], job["pages"], job["url"]) == ("waiting", PIECE_SIZE + 6, 2, answer["Location"])
    page = client.get(answer["Location"]).json()
    assert [one["status"] for one in page["predictions"]] == ["waiting"] * PIECE_SIZE
    assert (page["page"], page["next_page"]) == (1, 2)

    now = clock.now()
    with django_capture_on_commit_callbacks(execute=True):
        first, second = BatchPiece.objects.order_by("number").values_list("pk", flat=True)
        assert process_piece(piece_pk=second, now=now)
    page = client.get(answer["Location"], {"page": 2}).json()
    assert (page["status"], page["done"], page["problems"], page["next_page"]) == ("running", 6, 6, None)
    assert page["predictions"][-1]["problem"]["title"] == "Invalid symbol"
    assert page["predictions"][0]["problem"]["title"] == "Unknown symbol"

    with django_capture_on_commit_callbacks(execute=True):
        assert process_piece(piece_pk=first, now=now)
    page = client.get(answer["Location"]).json()
    assert (page["status"], page["done"], page["problems"]) == ("done", PIECE_SIZE + 6, PIECE_SIZE + 5)
    assert page["predictions"][0]["forecast"]["id"] == stored_forecasts[0].pk
    assert page["finished_at"] is not None
    messages = async_to_sync(received)(channel, 2)
    assert {message["topic"] for message in messages} == {f"jobs.batch.{job['id']}"}
    changes = [json.loads(message["text"]) for message in messages]
    assert [(one["seq"], one["state"], one["done"]) for one in changes] == [
        (1, "running", 6),
        (2, "done", PIECE_SIZE + 6),
    ]
    beyond = client.get(answer["Location"], {"page": 3})
    assert (beyond.status_code, beyond.json()["detail"]) == (404, "The batch has no page 3.")


def send_with_key(client: Client, symbols: list[str], key: str) -> Any:
    body = json.dumps({"symbols": symbols})
    return client.post(ADDRESS, body, content_type="application/json", headers={"Idempotency-Key": key})


def test_the_same_key_opens_no_second_job(client: Client, ada: User, stored_forecasts: list[Forecast]) -> None:
    first = send_with_key(client, words(60), "a-key")
    again = send_with_key(client, words(60), "a-key")
    assert (first.status_code, again.status_code, BatchJob.objects.count()) == (202, 202, 1)
    assert (again.json(), again["Location"]) == (first.json(), first["Location"])
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    other = send_with_key(client, words(61), "a-key")
    assert (other.status_code, other.json()["title"]) == (422, "Idempotency key reused")
    assert send_with_key(client, words(60), "b-key").json()["id"] != first.json()["id"]


def left_of(answer: Any) -> int:
    """Remaining quota of the minute, from the response headers."""
    return int(answer["RateLimit"].partition(";r=")[2].partition(";")[0])


def test_a_repeated_call_counts_as_one(client: Client, ada: User, stored_forecasts: list[Forecast]) -> None:
    Plan.objects.filter(pk="unlimited").update(per_minute=600)
    before = left_of(send_with_key(client, words(450), "a-key"))
    again, other = send_with_key(client, words(450), "a-key"), send_with_key(client, words(451), "a-key")
    assert [(one.status_code, before - left_of(one)) for one in (again, other)] == [(202, 1), (422, 2)]
    assert send_with_key(client, words(450), "b-key").status_code == 429


def test_more_symbols_than_a_job_may_have_count_as_one_call(client: Client, ada: User) -> None:
    Plan.objects.filter(pk="unlimited").update(per_minute=600)
    answer = send_with_key(client, words(MAX_BATCH_SYMBOLS + 1), "a-key")
    assert (answer.status_code, left_of(answer)) == (400, 599)


def test_a_key_is_the_callers_own(client: Client, ada: User, stored_forecasts: list[Forecast]) -> None:
    first = send_with_key(client, words(60), "a-key").json()
    client.force_login(User.objects.create_user("eve@example.com", "correct horse"))
    assert send_with_key(client, words(60), "a-key").json()["id"] != first["id"]


def test_a_refused_call_leaves_its_key_free(client: Client, stored_forecasts: list[Forecast]) -> None:
    assert send_with_key(client, words(60), "a-key").status_code == 401
    assert send_with_key(client, ["AAPL"], "a-key").status_code == 200
    assert send_with_key(client, ["AAPL"], "not a key").status_code == 400


def test_a_piece_is_answered_once_by_concurrent_workers(ada: User, stored_forecasts: list[Forecast]) -> None:
    now = clock.now()
    open_batch(owner_id=ada.pk, words=["AAPL"], horizon=5, now=now)
    (piece,) = BatchPiece.objects.all()
    BatchPiece.objects.update(claimed_at=now - PIECE_CLAIM_TTL)
    assert not process_piece(piece_pk=piece.pk, now=now)
    later = now + timedelta(seconds=1)
    assert [one.pk for one in claimable_pieces(now=later)] == [piece.pk]
    assert process_piece(piece_pk=piece.pk, now=later)
    assert not process_piece(piece_pk=piece.pk, now=later + 2 * PIECE_CLAIM_TTL)
    job = BatchJob.objects.get()
    assert (job.done, job.state) == (1, "done")


def test_an_outage_leaves_the_piece_to_the_next_worker(
    ada: User, stored_forecasts: list[Forecast], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_batch(owner_id=ada.pk, words=["AAPL"], horizon=5, now=clock.now())
    (piece,) = BatchPiece.objects.all()

    def away(*_: object, **__: object) -> Any:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(batch_lookup, "champion", away)
        with pytest.raises(OperationalError):
            process_piece(piece_pk=piece.pk, now=clock.now())
    assert process_piece(piece_pk=piece.pk, now=clock.now())


def test_a_cancelled_job_keeps_its_answers_and_stops(
    client: Client, ada: User, stored_forecasts: list[Forecast]
) -> None:
    now = clock.now()
    job = open_batch(owner_id=ada.pk, words=words(PIECE_SIZE + 1), horizon=5, now=now)
    first, second = BatchPiece.objects.order_by("number")
    assert process_piece(piece_pk=first.pk, now=now)
    address = reverse("predictions-api:batch-job", args=(job.pk,))
    predictions = client.delete(address).json()
    assert (predictions["status"], predictions["done"], predictions["total"]) == (
        "cancelled",
        PIECE_SIZE,
        PIECE_SIZE + 1,
    )
    assert client.delete(address).json() == predictions
    assert not process_piece(piece_pk=second.pk, now=now)
    assert client.get(address, {"page": 2}).json()["predictions"] == [{"symbol": "X100", "status": "cancelled"}]
    assert client.get(address).json()["predictions"][0]["status"] == "problem"


def test_a_job_deleted_with_its_owner_fails_nothing(
    ada: User, stored_forecasts: list[Forecast], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_batch(owner_id=ada.pk, words=["AAPL"], horizon=5, now=clock.now())
    (piece,) = BatchPiece.objects.all()

    def slowly(*symbols: Any, **more: Any) -> Any:
        ada.delete()
        return batch_lookup.lookup_many(*symbols, **more)

    monkeypatch.setattr(batch, "lookup_many", slowly)
    assert not process_piece(piece_pk=piece.pk, now=clock.now())
    assert not process_piece(piece_pk=piece.pk, now=clock.now())


def test_a_finished_job_cannot_be_cancelled(client: Client, ada: User, stored_forecasts: list[Forecast]) -> None:
    job = open_batch(owner_id=ada.pk, words=["AAPL"], horizon=5, now=clock.now())
    process_piece(piece_pk=job.pieces.get().pk, now=clock.now())
    answer = client.delete(reverse("predictions-api:batch-job", args=(job.pk,)))
    assert (answer.status_code, answer.json()["title"]) == (409, "Batch already finished")


@pytest.mark.parametrize("key", ["nothing", "7b1c2f3e-5d6a-4b7c-8d9e-0f1a2b3c4d5e"])
def test_unknown_jobs_and_those_of_others_are_not_found(client: Client, ada: User, key: str) -> None:
    other = User.objects.create_user("eve@example.com", "correct horse")
    theirs = open_batch(owner_id=other.pk, words=["AAPL"], horizon=5, now=clock.now())
    for address in (reverse("predictions-api:batch-job", args=(one,)) for one in (key, theirs.pk)):
        for answer in (client.get(address), client.delete(address)):
            assert (answer.status_code, answer.json()["title"]) == (404, "Unknown batch")
    theirs.refresh_from_db()
    assert theirs.state == "waiting"


def test_lost_messages_are_found_and_old_jobs_forgotten(
    ada: User, stored_forecasts: list[Forecast], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    open_batch(owner_id=ada.pk, words=["AAPL"], horizon=5, now=clock.now())
    old = open_batch(
        owner_id=ada.pk, words=["AAPL"], horizon=5, now=clock.now() - BATCH_RETENTION - timedelta(minutes=1)
    )
    with django_capture_on_commit_callbacks() as sent:
        tasks.sweep_batches()
    assert len(sent) == 1
    assert not BatchJob.objects.filter(pk=old.pk).exists()
    assert BatchPiece.objects.count() == 1
    assert delete_expired_batches(now=clock.now()) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"done": 2},
        {"problems": 1},
        {"state": "done"},
        {"state": "cancelled"},
        {"finished_at": datetime(2030, 1, 1, tzinfo=UTC)},
    ],
)
def test_counts_and_states_agree(ada: User, fields: dict[str, Any]) -> None:
    open_batch(owner_id=ada.pk, words=["AAPL"], horizon=5, now=clock.now())
    with pytest.raises(IntegrityError, match="batch_job"), transaction.atomic():
        BatchJob.objects.update(**fields)
