"""`manage.py find_symbol`: search in the catalogue and at Alpha Vantage, and adding a match."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from redis import Redis

from marketdata.conf import AlphaVantageSettings
from marketdata.models import Instrument, SymbolAlias
from marketdata.providers.alpha_vantage import parse_listing, to_vendor_symbol
from marketdata.selectors import instrument_by_symbol
from marketdata.tests.factories import stock

pytestmark = pytest.mark.django_db
MATCHES = json.loads((Path(__file__).parent / "recorded" / "alpha_vantage_search.json").read_text())


@pytest.fixture
def vendor(httpserver: HTTPServer, settings: Settings) -> Iterator[HTTPServer]:
    """Configure Alpha Vantage at a test server with an unused budget."""
    keys = [f"provider:{{alpha_vantage}}:{what}" for what in ("calls", "day", "circuit")]
    with Redis.from_url(django_settings.HINDCAST_SITE.redis_url) as store:
        store.delete(*keys)
        settings.HINDCAST_MARKETDATA = replace(
            settings.HINDCAST_MARKETDATA,
            providers=("alpha_vantage", "sample"),
            alpha_vantage=AlphaVantageSettings("QK7SECRETKEY42", httpserver.url_for("/"), timeout_s=5.0),
        )
        yield httpserver
        store.delete(*keys)


def run_command(*arguments: str) -> str:
    printed = StringIO()
    call_command("find_symbol", *arguments, stdout=printed)
    return " ".join(printed.getvalue().split())


def run_failing_command(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run_command(*arguments)
    assert "\n" not in str(caught.value)
    assert "SECRET" not in str(caught.value)
    return caught.value


def test_stored_and_found_instruments_are_listed(vendor: HTTPServer) -> None:
    stock("TESC", name="Tesco Holdings")
    query = {"function": "SYMBOL_SEARCH", "keywords": "tesco", "apikey": "QK7SECRETKEY42"}
    vendor.expect_request("/query", query_string=query).respond_with_json(MATCHES)
    table = run_command("tesco")
    assert "TESC │ Tesco Holdings │ XNYS │ │ USD │ stored" in table
    assert "TSCDF │ Tesco plc │ XNYS │ Equity │ USD │ alpha_vantage" in table
    assert "TSCO.L │ Tesco PLC │ XLON │ Equity │ GBX │ alpha_vantage" in table
    assert "Add a match with --add SYMBOL." in table
    assert Instrument.objects.count() == 1


@pytest.mark.parametrize("written", ["TSCO.L", "tsco.lon"])
def test_match_is_added_with_exchange_and_alias(vendor: HTTPServer, written: str) -> None:
    vendor.expect_request("/query").respond_with_json(MATCHES)
    assert "Added TSCO.L: Tesco PLC, XLON, GBX." in run_command("tesco", "--add", written)
    added = instrument_by_symbol("TSCO.L")
    assert (added.name, added.mic, added.currency, added.is_active) == ("Tesco PLC", "XLON", "GBX", True)
    assert SymbolAlias.objects.get(instrument=added).symbol == "TSCO.LON"
    assert "already in the catalogue" in run_command("tesco", "--add", written)
    assert (Instrument.objects.count(), SymbolAlias.objects.count()) == (1, 1)


def test_mic_option_overrides_source_exchange(vendor: HTTPServer) -> None:
    vendor.expect_request("/query").respond_with_json(MATCHES)
    run_command("tesco", "--add", "TSCDF", "--mic", "xnas")
    assert instrument_by_symbol("TSCDF").mic == "XNAS"
    assert not SymbolAlias.objects.exists()


def test_unknown_exchange_needs_mic_option(vendor: HTTPServer) -> None:
    elsewhere = {**MATCHES["bestMatches"][0], "1. symbol": "000001.SHZ", "4. region": "Shenzhen"}
    vendor.expect_request("/query").respond_with_json({"bestMatches": [elsewhere]})
    assert "unknown (Shenzhen)" in run_command("ping an")
    error = run_failing_command("ping an", "--add", "000001.SZ")
    assert str(error) == (
        "000001.SZ was not added: its exchange is unknown (region: Shenzhen); pass the exchange's MIC."
    )
    assert error.returncode == 2
    assert "XXXX has no calendar" in str(run_failing_command("ping an", "--add", "000001.SZ", "--mic", "XXXX"))
    assert not Instrument.objects.exists()
    assert "Added 000001.SZ" in run_command("ping an", "--add", "000001.SZ", "--mic", "XSHG")


def test_symbol_must_be_among_matches(vendor: HTTPServer) -> None:
    vendor.expect_request("/query").respond_with_json(MATCHES)
    assert str(run_failing_command("tesco", "--add", "AAPL")) == "AAPL is not among the matches; nothing was added."
    assert not Instrument.objects.exists()


@pytest.mark.parametrize("text", ["", "   ", "x" * 65])
def test_invalid_search_text_is_rejected(text: str) -> None:
    assert run_failing_command(text).returncode == 2


def test_failed_source_is_reported_with_stored_matches(vendor: HTTPServer) -> None:
    vendor.expect_request("/query").respond_with_json(
        {"Information": "Our standard API rate limit is 25 requests per day for QK7SECRETKEY42."}
    )
    assert str(run_failing_command("acme")).startswith("alpha_vantage: ")
    stock("ACME")
    table = run_command("acme")
    assert "ACME │ ACME Corporation" in table
    assert "alpha_vantage: " in table
    assert "SECRET" not in table


def test_catalogue_is_searched_without_search_provider() -> None:
    stock("ACME")
    assert "ACME │ ACME Corporation │ XNYS" in run_command("acme")
    assert "ALPHA_VANTAGE_API_KEY" in str(run_failing_command("tesco", "--add", "TSCO.L"))
    assert str(run_failing_command("zzzz")) == "Nothing matches 'zzzz'."


@pytest.mark.parametrize(
    ("theirs", "region", "ours", "mic"),
    [
        ("IBM", "United States", "IBM", "XNYS"),
        ("BRK-B", "United States", "BRK.B", "XNYS"),
        ("SHOP.TRT", "Toronto", "SHOP.TO", "XTSE"),
        ("MBG.DEX", "XETRA", "MBG.DE", "XETR"),
        ("RELIANCE.BSE", "India/Bombay", "RELIANCE.BO", "XBOM"),
        ("7203", "Tokyo", "7203", ""),
    ],
)
def test_vendor_symbol_and_region_identify_listing(theirs: str, region: str, ours: str, mic: str) -> None:
    assert parse_listing(theirs, region) == (ours, mic)
    assert to_vendor_symbol(ours) == theirs
