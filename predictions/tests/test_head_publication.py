"""Publication of signed heads: each witness gets them, failures are retried and stop nothing else."""

import json
import subprocess
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from smtplib import SMTPException

import pytest
from django.core import mail
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from accounts.models import User
from predictions import tasks
from predictions.conf import LedgerSettings
from predictions.errors import WitnessFailed
from predictions.models import Forecast, HeadPublication, LedgerHead
from predictions.services import head_publication
from predictions.services.head_publication import publish_heads
from predictions.services.ledger import record_head
from predictions.signed_head import HeadDocument, head_document
from predictions.tests.factories import NOW, at, forecasts, stock
from predictions.tests.test_ledger_signatures import used_key
from predictions.witnesses.catalog import configured_witnesses
from predictions.witnesses.git_remote import GitRemote
from predictions.witnesses.heads_file import HeadsFile
from predictions.witnesses.opentimestamps import OpenTimestamps
from predictions.witnesses.peer import Peer
from predictions.witnesses.staff_mail import StaffMail

pytestmark = pytest.mark.django_db

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def ledger_settings(settings: Settings, tmp_path: Path) -> LedgerSettings:
    """Settings with files of their own and no witness but the file."""
    settings.HINDCAST_LEDGER = LedgerSettings(
        key_file=tmp_path / "ledger_key",
        heads_file=tmp_path / "heads" / "heads.jsonl",
        timestamps_dir=tmp_path / "timestamps",
        mail_heads=False,
    )
    return settings.HINDCAST_LEDGER


@pytest.fixture
def head(rows: list[Forecast], ledger_settings: LedgerSettings) -> LedgerHead:
    recorded, _ = record_head(clock=at(NOW))
    assert recorded is not None
    return recorded


@pytest.fixture
def document(head: LedgerHead, ledger_settings: LedgerSettings) -> HeadDocument:
    return head_document(head, public_key=used_key(ledger_settings.key_file).public_key)


@dataclass
class StandIn:
    """A witness that fails `failures` times and remembers what it published."""

    name: str
    failures: int = 0
    error: Exception = field(default_factory=lambda: WitnessFailed("stand-in", "it is away"))
    published: list[str] = field(default_factory=list)

    def publish(self, head: HeadDocument) -> str:
        if self.failures:
            self.failures -= 1
            raise self.error
        self.published.append(head.day.isoformat())
        return "receipt"


def use(monkeypatch: pytest.MonkeyPatch, *witnesses: StandIn) -> None:
    monkeypatch.setattr(head_publication, "configured_witnesses", lambda settings: witnesses)


def test_a_failing_witness_does_not_stop_the_others(head: LedgerHead, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = StandIn("a"), StandIn("b", failures=1), StandIn("c", failures=1, error=ZeroDivisionError())
    last = StandIn("d")
    use(monkeypatch, first, second, third, last)
    report = publish_heads(now=NOW)
    assert (report.published, report.failed) == (2, 2)
    assert [witness.published for witness in (first, second, third, last)] == [["2023-09-21"], [], [], ["2023-09-21"]]
    rows = {row.witness: row for row in HeadPublication.objects.all()}
    assert [rows[name].error for name in "abcd"] == ["", "it is away", "an unexpected error, see the log", ""]
    assert (rows["a"].published_at, rows["a"].receipt, rows["b"].published_at) == (NOW, "receipt", None)
    assert {row.attempts for row in rows.values()} == {1}


def test_a_failed_publication_is_retried_ever_more_rarely(head: LedgerHead, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = StandIn("a", failures=12)
    use(monkeypatch, witness)
    pauses, now = [], NOW
    while not witness.published:
        publish_heads(now=now)
        row = HeadPublication.objects.get()
        pause = row.next_attempt_at - now
        pauses.append(pause)
        assert publish_heads(now=now + pause - timedelta(seconds=1)).failed == 0
        now += pause
    assert pauses[:4] == [timedelta(minutes=minutes) for minutes in (10, 20, 40, 80)]
    assert pauses[-1] == timedelta(days=1)
    assert (row.attempts, row.error, row.published_at is not None) == (13, "", True)
    assert publish_heads(now=now + timedelta(days=9)).published == 0


def test_a_head_that_was_missed_follows_with_the_next(head: LedgerHead, monkeypatch: pytest.MonkeyPatch) -> None:
    witness, tomorrow = StandIn("a", failures=1), NOW + timedelta(days=1)
    use(monkeypatch, witness)
    publish_heads(now=NOW)
    forecasts([stock("MSFT")], kind="late")
    record_head(clock=at(tomorrow))
    assert publish_heads(now=tomorrow).published == 2
    assert witness.published == ["2023-09-21", "2023-09-22"]


def test_a_publication_that_another_worker_claimed_is_not_sent_twice(
    head: LedgerHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = StandIn("a")

    class Slow(StandIn):
        def publish(self, head: HeadDocument) -> str:
            use(monkeypatch, other)
            publish_heads(now=NOW)
            return super().publish(head)

    slow = Slow("a")
    use(monkeypatch, slow)
    tasks.publish_heads_task()
    assert (slow.published, other.published) == (["2023-09-21"], [])


def test_without_a_head_there_is_nothing_to_publish(ledger_settings: LedgerSettings) -> None:
    assert publish_heads(now=NOW).published == 0
    assert not ledger_settings.heads_file.exists()


def test_settings_choose_the_witnesses(ledger_settings: LedgerSettings, tmp_path: Path) -> None:
    chosen = replace(
        ledger_settings, mail_heads=True, git_clone=tmp_path, peers=("http://a/x", "http://b"), calendars=("http://c",)
    )
    names = ["file", "mail", "git", "http://a/x", "http://b", "opentimestamps http://c"]
    assert [witness.name for witness in configured_witnesses(chosen)] == names
    assert [witness.name for witness in configured_witnesses(ledger_settings)] == ["file"]


def test_the_file_gets_each_head_once(
    head: LedgerHead, document: HeadDocument, ledger_settings: LedgerSettings
) -> None:
    assert publish_heads(now=NOW).published == 1
    path = ledger_settings.heads_file
    HeadsFile(path).publish(document)
    assert path.read_text() == document.line + "\n"
    path.write_text("an unfinished li")
    HeadsFile(path).publish(document)
    assert path.read_text() == f"an unfinished li\n{document.line}\n"
    line = json.loads(document.line)
    assert (line["entry_hash"], line["public_key"]) == (head.entry_hash, document.signed.public_key)
    with pytest.raises(WitnessFailed, match="cannot be written"):
        HeadsFile(path / "below").publish(document)


def test_staff_get_the_head_by_mail(document: HeadDocument, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WitnessFailed, match="there is no staff account"):
        StaffMail().publish(document)
    for name, is_staff, is_active in (("a", True, True), ("b", True, True), ("c", False, True), ("d", True, False)):
        User.objects.create_user(f"{name}@example.com", "a long pass phrase", is_staff=is_staff, is_active=is_active)
    assert StaffMail().publish(document) == "2 recipients"
    (message,) = mail.outbox
    assert (message.to, message.bcc) == ([], ["a@example.com", "b@example.com"])
    assert (message.subject, document.line in str(message.body)) == ("Ledger head of 2023-09-21", True)

    def refuse(self: object) -> int:
        raise SMTPException("no such mailbox")

    monkeypatch.setattr("predictions.witnesses.staff_mail.EmailMessage.send", refuse)
    with pytest.raises(WitnessFailed, match="SMTPException: no such mailbox"):
        StaffMail().publish(document)


def test_a_peer_gets_what_proves_the_head(document: HeadDocument, httpserver: HTTPServer) -> None:
    signed = document.signed
    expected = {
        "public_key": signed.public_key, "previous_hash": signed.previous_hash, "payload": signed.payload,
        "signature": signed.signature,
    }  # fmt: skip
    httpserver.expect_oneshot_request("/witnessed", method="POST", json=expected).respond_with_data(status=201)
    peer = Peer(httpserver.url_for("/witnessed"))
    assert peer.publish(document) == "answered 201"
    httpserver.expect_request("/witnessed").respond_with_data(status=422)
    with pytest.raises(WitnessFailed, match="it answered 422"):
        peer.publish(document)
    with pytest.raises(WitnessFailed, match="ConnectError"):
        Peer(f"{NOWHERE}/witnessed").publish(document)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """An empty git remote with a clone beside it."""
    for command in (["init", "--quiet", "--bare", "remote"], ["clone", "--quiet", "remote", "clone"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["git", "config", "push.default", "current"], cwd=tmp_path / "clone", check=True)
    return tmp_path / "remote"


def commits(remote: Path) -> list[str]:
    log = ["git", "-C", str(remote), "log", "--all", "--format=%s"]
    return subprocess.run(log, check=True, capture_output=True, text=True).stdout.splitlines()


def test_the_git_remote_gets_one_commit_per_head(document: HeadDocument, remote: Path, tmp_path: Path) -> None:
    witness = GitRemote(tmp_path / "clone")
    assert witness.publish(document).startswith("commit ")
    witness.publish(document)
    assert commits(remote) == ["Ledger head of 2023-09-21"]


def test_a_push_that_failed_is_repeated(document: HeadDocument, remote: Path, tmp_path: Path) -> None:
    witness, away = GitRemote(tmp_path / "clone"), tmp_path / "away"
    remote.rename(away)
    with pytest.raises(WitnessFailed, match="git: "):
        witness.publish(document)
    away.rename(remote)
    witness.publish(document)
    assert commits(remote) == ["Ledger head of 2023-09-21"]


def test_a_folder_that_is_no_clone_is_a_failure(document: HeadDocument, tmp_path: Path) -> None:
    for folder in (tmp_path / "plain", tmp_path / "file" / "below"):
        (tmp_path / "file").touch()
        with pytest.raises(WitnessFailed):
            GitRemote(folder).publish(document)


def test_a_calendar_stamps_the_hash_of_the_stored_file(
    document: HeadDocument, httpserver: HTTPServer, tmp_path: Path
) -> None:
    received = []

    def stamp(request: Request) -> Response:
        received.append(request.get_data())
        return Response(b"\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e pending")

    httpserver.expect_oneshot_request("/digest", method="POST").respond_with_handler(stamp)
    calendar = httpserver.url_for("/").rstrip("/")
    proof = Path(OpenTimestamps(calendar, tmp_path).publish(document)).read_bytes()
    digest = bytes.fromhex(document.signed.entry_hash)
    assert received == [digest]
    assert proof.startswith(b"\x00OpenTimestamps\x00\x00Proof\x00")
    # Version 1, SHA-256, the digest, and what the calendar answered.
    assert proof[31:] == b"\x01\x08" + digest + b"\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e pending"
    stem = tmp_path / f"2023-09-21-{'localhost' if 'localhost' in calendar else '127.0.0.1'}"
    text = f"{document.signed.previous_hash}\n{document.signed.payload}"
    assert stem.read_text() == text


@pytest.mark.parametrize(("status", "content"), [(503, b"busy"), (200, b""), (200, b"x" * 10_001)])
def test_a_calendar_without_a_proof_has_failed(
    document: HeadDocument, httpserver: HTTPServer, tmp_path: Path, status: int, content: bytes
) -> None:
    httpserver.expect_request("/digest").respond_with_data(content, status=status)
    with pytest.raises(WitnessFailed, match="it answered"):
        OpenTimestamps(httpserver.url_for("/").rstrip("/"), tmp_path).publish(document)
    assert not list(tmp_path.glob("*.ots"))
    with pytest.raises(WitnessFailed, match="ConnectError"):
        OpenTimestamps(NOWHERE, tmp_path).publish(document)
