"""Database constraints and triggers of market data."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from marketdata.models import CorporateAction, DailyBar, QuarantinedBar
from marketdata.tests.factories import LAST, NOW, stock, stored_bar

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"low": Decimal("100.5")}, "daily_bar_low_high_enclose"),
        ({"high": Decimal("100.5")}, "daily_bar_low_high_enclose"),
        ({"low": Decimal(0)}, "daily_bar_prices_positive"),
        ({"adjusted_close": Decimal(-1)}, "daily_bar_prices_positive"),
        ({"volume": -1}, "daily_bar_volume_not_negative"),
    ],
)
def test_invalid_bar_is_rejected(changes: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        stored_bar(**changes)


def test_session_is_unique() -> None:
    first = stored_bar()
    with pytest.raises(IntegrityError, match="pkey"), transaction.atomic():
        stored_bar(instrument=first.instrument)


def test_symbol_is_unique_per_exchange() -> None:
    stock(symbol="ACME", mic="XNYS")
    stock(symbol="ACME", mic="XLON")
    with pytest.raises(IntegrityError, match="instrument_symbol_per_exchange"), transaction.atomic():
        stock(symbol="ACME", mic="XNYS")


def test_tick_must_be_positive() -> None:
    with pytest.raises(IntegrityError, match="instrument_tick_positive"), transaction.atomic():
        stock(tick=Decimal(0))


def test_split_must_be_positive_and_unique() -> None:
    action = {"instrument": stock(), "session": LAST, "kind": "split", "source": "test"}
    with pytest.raises(IntegrityError, match="corporate_action_value_positive"), transaction.atomic():
        CorporateAction.objects.create(**action, value=Decimal(0))
    CorporateAction.objects.create(**action, value=Decimal(2))
    with pytest.raises(IntegrityError, match="corporate_action_once"), transaction.atomic():
        CorporateAction.objects.create(**action, value=Decimal(3))


def test_quarantined_bar_is_unique() -> None:
    refusal = {
        "instrument": stock(),
        "session": LAST,
        "source": "test",
        "rule": "high_below_low",
        "reason": "The high is below the low.",
        "bar": {},
        "seen_at": NOW,
    }
    QuarantinedBar.objects.create(**refusal)
    with pytest.raises(IntegrityError, match="quarantined_bar_once"), transaction.atomic():
        QuarantinedBar.objects.create(**refusal)


def test_bar_needs_an_instrument() -> None:
    listed = stored_bar()
    listed.instrument_id = 987_654
    with pytest.raises(IntegrityError, match="a bar refers to a missing instrument"), transaction.atomic():
        DailyBar.objects.bulk_create([listed])
    with pytest.raises(IntegrityError, match="a bar refers to a missing instrument"), transaction.atomic():
        DailyBar.objects.update(instrument_id=987_654)


def test_instrument_with_bars_cannot_be_deleted() -> None:
    listed = stored_bar().instrument
    with (
        pytest.raises(IntegrityError, match="an instrument with bars cannot be deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM marketdata_instrument WHERE id = %s", (listed.pk,))
    listed.delete()
    assert not DailyBar.objects.exists()
