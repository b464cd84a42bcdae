"""Reviews of doubtful histories: asked again, put before staff, decided once, and followed by the ingestion."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from marketdata.models import DailyBar, HistoryReview, IngestionRun, Instrument
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.providers.base import DailyHistory
from marketdata.services.history_review import DecisionRefused, decide
from marketdata.services.ingestion import ingest_all
from marketdata.tests.factories import LAST, NOW, FakeBarProvider, bars_between, stock

pytestmark = pytest.mark.django_db

SHIFTED_FROM = date(2023, 3, 1)
Bars = Sequence[BarRecord]


def scaled(bars: Bars, factor: str, *, since: date = SHIFTED_FROM, volume: int = 1_000) -> list[BarRecord]:
    """Multiply prices from a session on; its volume is given."""
    ratio = Decimal(factor)
    return [
        one
        if one.session < since
        else replace(
            one,
            open=one.open * ratio,
            high=one.high * ratio,
            low=one.low * ratio,
            close=one.close * ratio,
            adjusted_close=one.adjusted_close * ratio,
            volume=volume if one.session == since else 1_000,
        )
        for one in bars
    ]


@dataclass
class ChangingProvider:
    """Provider with one response after the other; the last one repeats."""

    responses: list[Bars]
    name: str = "first"
    parallel_calls: int = 2
    requests: list[str] = field(default_factory=list)

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Return the next response."""
        self.requests.append(symbol)
        bars = self.responses[min(len(self.requests), len(self.responses)) - 1]
        return DailyHistory(bars, (), LAST)


def ingest(instrument: Instrument, *providers: Any) -> IngestionRun:
    fresh = Instrument.objects.get(pk=instrument.pk)
    return ingest_all(through=LAST, now=NOW, instruments=[fresh], providers=providers)[0]


@pytest.fixture
def review() -> HistoryReview:
    """Waiting review of a stock whose prices are 1.5 times higher since March."""
    ingest(stock("ACME"), ChangingProvider([scaled(bars_between(), "1.5")]))
    return HistoryReview.objects.get()


def test_persistent_shift_waits_for_staff_and_next_source_is_used() -> None:
    acme = stock("ACME")
    doubtful = ChangingProvider([scaled(bars_between(), "1.5")])
    run = ingest(acme, doubtful, FakeBarProvider("second", bars_between()))
    assert (run.provider, run.bars_new) == ("second", 62)
    assert "first: Prices of 2023-03-01 opened at 1.5 times the previous close and stayed there" in run.detail
    assert "Staff must accept or reject this change" in run.detail
    assert doubtful.requests == ["ACME", "ACME"]
    found = HistoryReview.objects.get()
    assert (found.rule, found.session, found.factor, found.status) == (
        "overnight_shift", SHIFTED_FROM, Decimal("1.5"), "waiting",
    )  # fmt: skip
    # Three bars before the shift and three from it on.
    assert [bar["session"] for bar in found.bars] == [
        "2023-02-24", "2023-02-27", "2023-02-28", "2023-03-01", "2023-03-02", "2023-03-03",
    ]  # fmt: skip


def test_glitch_is_gone_on_the_second_request() -> None:
    provider = ChangingProvider([scaled(bars_between(), "1.5"), bars_between()])
    run = ingest(stock("ACME"), provider)
    assert (run.status, run.bars_new, len(provider.requests)) == ("done", 62, 2)
    assert not HistoryReview.objects.exists()


@pytest.mark.parametrize(
    ("bars", "actions"),
    [
        (scaled(bars_between(), "1.24"), ()),
        (scaled(bars_between(), "0.81"), ()),
        # 3,001 shares are more than three times the typical 1,000.
        (scaled(bars_between(), "1.5", volume=3_001), ()),
        (scaled(bars_between(), "1.5"), (CorporateActionRecord(SHIFTED_FROM, "split", Decimal(4)),)),
    ],
)
def test_smaller_traded_or_explained_shift_is_stored(bars: Bars, actions: Sequence[CorporateActionRecord]) -> None:
    run = ingest(stock("ACME"), FakeBarProvider("first", bars, actions=actions))
    assert (run.status, run.bars_new) == ("done", 62)
    assert not HistoryReview.objects.exists()


@pytest.mark.parametrize("factor", ["1.26", "0.79"])
def test_shift_of_a_quarter_is_doubted(factor: str) -> None:
    assert ingest(stock("ACME"), FakeBarProvider("first", scaled(bars_between(), factor))).status == "failed"
    assert HistoryReview.objects.count() == 1


def test_small_shift_after_a_calm_year_is_doubted() -> None:
    calm = bars_between(first=date(2022, 6, 1))
    assert ingest(stock("ACME"), FakeBarProvider("first", scaled(calm, "1.12"))).status == "failed"
    assert HistoryReview.objects.get().factor == Decimal("1.1")


def test_stored_shift_is_not_doubted_again() -> None:
    acme = stock("ACME")
    bars = scaled(bars_between(), "1.5", volume=9_000)
    ingest(acme, FakeBarProvider("first", bars))
    quieter = scaled(bars_between(), "1.5")
    assert ingest(acme, FakeBarProvider("first", quieter)).bars_changed == 1


def test_second_run_adds_no_second_review(review: HistoryReview) -> None:
    ingest(review.instrument, ChangingProvider([scaled(bars_between(), "1.5")]))
    assert HistoryReview.objects.count() == 1


def test_accepted_shift_is_stored(review: HistoryReview) -> None:
    decide(review=review, accept=True, reason="Takeover bid.", actor=None, now=NOW)
    provider = ChangingProvider([scaled(bars_between(), "1.5")])
    run = ingest(review.instrument, provider)
    assert (run.status, run.bars_new, len(provider.requests)) == ("done", 62, 1)


def test_another_factor_is_another_question(review: HistoryReview) -> None:
    decide(review=review, accept=True, reason="Takeover bid.", actor=None, now=NOW)
    assert ingest(review.instrument, ChangingProvider([scaled(bars_between(), "1.7")])).status == "failed"
    assert HistoryReview.objects.count() == 2


def test_rejected_shift_stays_refused_without_another_request(review: HistoryReview) -> None:
    decide(review=review, accept=False, reason="Prices of another stock.", actor=None, now=NOW)
    provider = ChangingProvider([scaled(bars_between(), "1.5")])
    run = ingest(review.instrument, provider)
    assert (run.status, len(provider.requests)) == ("failed", 1)
    assert "Staff rejected this change" in run.detail
    assert not DailyBar.objects.exists()


def test_accepted_split_ratio_is_a_market_move() -> None:
    bars = scaled(bars_between(), "2")
    acme = stock("ACME")
    assert ingest(acme, FakeBarProvider("first", bars)).status == "failed"
    found = HistoryReview.objects.get()
    assert (found.rule, found.session) == ("two_levels", SHIFTED_FROM)
    decide(review=found, accept=True, reason="It doubled.", actor=None, now=NOW)
    assert ingest(acme, FakeBarProvider("first", bars)).bars_new == 62


def test_newest_bars_off_level_are_reviewed_and_others_stored() -> None:
    since = LAST - timedelta(days=2)
    bars = scaled(bars_between(), "2", since=since)
    acme = stock("ACME")
    run = ingest(acme, FakeBarProvider("first", bars))
    assert (run.status, run.bars_new, run.bars_quarantined) == ("done", 59, 3)
    decide(review=HistoryReview.objects.get(), accept=True, reason="It doubled.", actor=None, now=NOW)
    assert ingest(acme, FakeBarProvider("first", bars)).bars_new == 3


def test_accepted_basis_change_replaces_the_series() -> None:
    acme = stock("ACME")
    ingest(acme, FakeBarProvider("first", bars_between()))
    other = FakeBarProvider("first", bars_between(scale="1.1"))
    assert ingest(acme, other).status == "failed"
    decide(review=HistoryReview.objects.get(), accept=True, reason="Rights issue.", actor=None, now=NOW)
    run = ingest(acme, other)
    assert run.detail == "Replaced the whole series with data from first."
    assert DailyBar.objects.earliest("session").close == 110


def test_decision_needs_a_reason_and_is_final(review: HistoryReview) -> None:
    staff = User.objects.create_superuser("root@example.com", "correct horse battery")
    with pytest.raises(DecisionRefused, match="Enter a reason"):
        decide(review=review, accept=True, reason="  ", actor=staff, now=NOW)
    decide(review=review, accept=True, reason="Takeover bid.", actor=staff, now=NOW)
    with pytest.raises(DecisionRefused, match="decided already"):
        decide(review=review, accept=False, reason="No.", actor=staff, now=NOW)
    review.refresh_from_db()
    assert (review.status, review.reason, review.decided_by, review.decided_at) == (
        "accepted", "Takeover bid.", staff, NOW,
    )  # fmt: skip
    event = AuditEvent.objects.get()
    assert (event.kind, event.user_id) == ("changed_by_staff", staff.pk)
    assert event.detail == "ACME overnight_shift of 2023-03-01 accepted"


@pytest.mark.parametrize("values", [{"status": "accepted"}, {"reason": "x"}, {"decided_at": NOW}])
def test_decision_without_reason_or_time_cannot_be_stored(review: HistoryReview, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="history_review_decided_with_reason"), transaction.atomic():
        HistoryReview.objects.filter(pk=review.pk).update(**values)


def page_text(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.mark.parametrize(("button", "status"), [("accept", "accepted"), ("reject", "rejected")])
def test_staff_decide_on_one_page(
    admin_client: Client,
    review: HistoryReview,
    django_capture_on_commit_callbacks: Callable[..., Any],
    button: str,
    status: str,
) -> None:
    address = reverse("admin:marketdata_historyreview_change", args=[review.pk])
    page = admin_client.get(address)
    words = page_text(page)
    for shown in ("opened at 1.5 times the previous close", "2023-02-28", "Accept: store this history", "Reject"):
        assert shown in words
    (name,) = re.findall(rf'name="(\w+_{button})"', page.content.decode())
    assert 'name="_save"' not in page.content.decode()
    refused = admin_client.post(address, {"reason": "", name: "1"}, follow=True)
    assert "Enter a reason for the decision." in page_text(refused)
    with django_capture_on_commit_callbacks() as callbacks:
        decided = admin_client.post(address, {"reason": "Checked at the exchange.", name: "1"}, follow=True)
    assert f"The change was {status}. Fetching bars of ACME." in page_text(decided)
    assert "changed successfully" not in page_text(decided)
    assert callbacks
    review.refresh_from_db()
    assert (review.status, review.reason) == (status, "Checked at the exchange.")
    assert LogEntry.objects.filter(object_id=str(review.pk)).exists()
    closed = admin_client.get(address).content.decode()
    assert 'name="reason"' not in closed
    assert name not in closed


def test_saving_without_a_button_changes_nothing(admin_client: Client, review: HistoryReview) -> None:
    address = reverse("admin:marketdata_historyreview_change", args=[review.pk])
    answer = admin_client.post(address, {"reason": "Hm.", "_save": "1"}, follow=True)
    assert "Choose Accept or Reject." in page_text(answer)
    review.refresh_from_db()
    assert (review.status, review.reason) == ("waiting", "")


def test_exchange_of_stored_bars_keeps_its_calendar(admin_client: Client) -> None:
    acme = stock("ACME")
    ingest(acme, FakeBarProvider("first", bars_between()))
    address = reverse("admin:marketdata_instrument_change", args=[acme.pk])
    fields = {
        "symbol": "ACME", "name": "Acme", "currency": "USD", "tick": "0.01", "sector": "",
        "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0",
    }  # fmt: skip
    answer = admin_client.post(address, {**fields, "mic": "XTKS"})
    assert "Stored bars follow the calendar of XNYS." in page_text(answer)
    admin_client.post(address, {**fields, "mic": "XNAS"})
    acme.refresh_from_db()
    assert acme.mic == "XNAS"
