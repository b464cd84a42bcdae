"""Symbol aliases and delisted instruments."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from marketdata.errors import SymbolUnknown
from marketdata.models import DailyBar, Instrument, SymbolAlias
from marketdata.selectors import active_instruments, instrument_by_symbol, instruments_by_symbols, vendor_symbols
from marketdata.services.ingestion import ingest_all
from marketdata.tests.factories import LAST, NOW, FakeBarProvider, bars_between, stock

pytestmark = pytest.mark.django_db


def add_alias(instrument: Instrument, symbol: str, vendor: str = "") -> SymbolAlias:
    return SymbolAlias.objects.create(instrument=instrument, symbol=symbol, vendor=vendor)


def test_alias_resolves_in_every_spelling() -> None:
    berkshire = stock("BRK.B")
    add_alias(berkshire, "BRKB", "first")
    tencent = stock("0700.HK", mic="XHKG")
    add_alias(tencent, "TCEHY")
    assert instrument_by_symbol("brkb") == berkshire
    assert instrument_by_symbol("tcehy") == tencent
    assert instrument_by_symbol("0700-HK") == tencent


def test_symbol_beats_alias_and_active_listing_beats_inactive() -> None:
    old, new = stock("META"), stock("FB")
    add_alias(old, "FB")
    assert instrument_by_symbol("FB") == new
    gone, alive = stock("GONE", is_active=False), stock("ALIVE")
    add_alias(gone, "SAME", "first")
    add_alias(alive, "SAME", "second")
    assert instrument_by_symbol("SAME") == alive


def test_many_symbols_take_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    one, two = stock("ONE"), stock("TWO")
    add_alias(two, "ZWEI")
    with django_assert_num_queries(1):
        found = instruments_by_symbols(["ONE", "ZWEI", "NONE"])
    assert found == {"ONE": one, "ZWEI": two}


def test_vendor_aliases_are_unique_in_both_directions() -> None:
    one, two = stock(), stock()
    add_alias(one, "A", "first")
    for instrument, symbol in ((one, "B"), (two, "A")):
        with pytest.raises(IntegrityError, match="symbol_alias"), transaction.atomic():
            add_alias(instrument, symbol, "first")
    add_alias(one, "OLD")
    add_alias(one, "OLDER")
    assert vendor_symbols("first") == {one.symbol: "A"}


def test_each_source_is_queried_by_its_own_symbol() -> None:
    stock("BRK.B")
    add_alias(Instrument.objects.get(), "BRK-B", "first")
    first, second = FakeBarProvider("first"), FakeBarProvider("second", bars_between())
    ingest_all(through=LAST, now=NOW, providers=[first, second])
    assert (first.requested, second.requested) == (["BRK-B"], ["BRK.B"])


def test_delisted_stock_keeps_history_and_is_inactive() -> None:
    gone = stock("GONE")
    gone.delisted_on, gone.is_active = date(2023, 2, 1), False
    gone.save()
    assert list(active_instruments()) == []
    ingest_all(through=LAST, now=NOW, instruments=[gone], providers=[FakeBarProvider("first", bars_between())])
    assert DailyBar.objects.latest("session").session == date(2023, 2, 1)
    assert instrument_by_symbol("GONE") == gone


def test_delisted_instrument_cannot_be_active() -> None:
    gone = stock()
    with pytest.raises(IntegrityError, match="instrument_delisted_is_not_active"), transaction.atomic():
        Instrument.objects.filter(pk=gone.pk).update(delisted_on=date(2023, 2, 1))


def test_delisted_stock_is_not_suggested() -> None:
    stock("GONEX", is_active=False)
    with pytest.raises(SymbolUnknown) as caught:
        instrument_by_symbol("GONEY")
    assert caught.value.suggestions == ()
