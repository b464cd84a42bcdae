"""`manage.py ingest`, the system check and the admin."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from marketdata.conf import MarketDataSettings
from marketdata.models import DailyBar, IngestionRun, Instrument
from marketdata.tests.factories import LAST, NOW, stock, stored_bar

pytestmark = pytest.mark.django_db


@pytest.fixture
def _only_the_sample(settings: Any) -> None:
    settings.HINDCAST_MARKETDATA = MarketDataSettings(
        providers=("sample",), yahoo_timeout_s=3.0, yahoo_base_url=None, stale_after_sessions=2
    )


def ingest(*arguments: str) -> str:
    printed = StringIO()
    call_command("ingest", *arguments, stdout=printed)
    return printed.getvalue()


@pytest.mark.usefixtures("_only_the_sample")
def test_report_shows_stored_counts() -> None:
    table = ingest("--through", "2013-01-31")
    # XNYS had 21 sessions in January 2013.
    assert all(symbol in table for symbol in ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"))
    assert table.count("2013-01-31") == 6
    assert table.count("21") >= 6
    assert DailyBar.objects.count() == 6 * 21
    assert "Nothing changed: all bars were already stored." in ingest("--through", "2013-01-31")


@pytest.mark.usefixtures("_only_the_sample")
def test_symbols_are_accepted_in_any_spelling() -> None:
    ingest("--through", "2013-01-31")
    assert "NVDA" not in ingest("aapl", "AAPL", "--through", "2013-01-31")
    assert IngestionRun.objects.filter(instrument__symbol="AAPL").count() == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["APPL"], "Unknown symbol: APPL. Similar: AAPL."),
        (["A$B"], "Invalid symbol: 'A$B'."),
        (["--through", "soon"], "--through must be a date such as 2023-09-21, not 'soon'."),
        (["--through", "2999-01-01"], "--through is "),
    ],
)
def test_bad_arguments_are_one_error_message(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        ingest(*arguments)
    assert str(caught.value).startswith(words)
    assert caught.value.returncode == 2
    assert IngestionRun.objects.count() == 0


@pytest.mark.usefixtures("_only_the_sample")
def test_instrument_without_data_fails_the_command() -> None:
    stock(symbol="TSLA")
    with pytest.raises(CommandError, match="No source has usable bars for TSLA"):
        ingest()


@pytest.mark.parametrize(("day", "warnings"), [(4, []), (6, ["marketdata.W001"])])
def test_check_warns_of_old_bars(day: int, warnings: list[str]) -> None:
    stored_bar(session=LAST)
    with time_machine.travel(datetime(2023, 4, day, 12, tzinfo=UTC), tick=False):
        found = run_checks(databases=["default"])
    assert [one.id for one in found if str(one.id).startswith("marketdata.")] == warnings


def test_check_warns_of_empty_database() -> None:
    found = [one for one in run_checks(databases=["default"]) if one.id == "marketdata.W001"]
    assert [one.msg for one in found] == ["No bar is stored yet."]


@pytest.fixture
def staff(client: Client) -> Client:
    """Client signed in as superuser."""
    client.force_login(get_user_model().objects.create_superuser(email="staff@example.com", password="correct horse"))
    return client


@pytest.mark.parametrize("name", ["instrument", "quarantinedbar", "ingestionrun"])
def test_staff_see_admin_lists(staff: Client, name: str) -> None:
    IngestionRun.objects.create(instrument=stock(), started_at=NOW, finished_at=timezone.now())
    assert staff.get(reverse(f"admin:marketdata_{name}_changelist")).status_code == 200


@pytest.mark.parametrize("name", ["quarantinedbar", "ingestionrun"])
def test_service_rows_cannot_be_added_in_admin(staff: Client, name: str) -> None:
    assert staff.get(reverse(f"admin:marketdata_{name}_add")).status_code == 403


NO_ALIASES = {"aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0"}


@pytest.mark.parametrize(
    ("symbol", "mic", "stored"), [("brk.b", "xnys", "BRK.B"), ("B B", "XNYS", ""), ("BRK.B", "NOPE", "")]
)
def test_added_instrument_needs_valid_symbol_and_exchange(staff: Client, symbol: str, mic: str, stored: str) -> None:
    form = {"symbol": symbol, "mic": mic, "name": "Berkshire", "currency": "USD", "tick": "0.01", "is_active": "on"}
    form |= NO_ALIASES
    staff.post(reverse("admin:marketdata_instrument_add"), form)
    assert list(Instrument.objects.values_list("symbol", flat=True)) == ([stored] if stored else [])


@pytest.mark.parametrize(
    ("last", "active", "stored"), [("2023-02-01", "", True), ("2023-02-04", "", False), ("2023-02-01", "on", False)]
)
def test_delisting_needs_a_session_and_deactivates(staff: Client, last: str, active: str, stored: bool) -> None:
    form = {"symbol": "GONE", "mic": "XNYS", "name": "Gone", "currency": "USD", "tick": "0.01", "delisted_on": last}
    aliases = {**NO_ALIASES, "aliases-TOTAL_FORMS": "1", "aliases-0-symbol": " was ", "aliases-0-vendor": ""}
    staff.post(reverse("admin:marketdata_instrument_add"), {**form, **aliases, "is_active": active})
    assert list(Instrument.objects.values_list("aliases__symbol", flat=True)) == (["WAS"] if stored else [])
