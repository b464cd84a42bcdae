"""Symbol search in the admin."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from accounts.models import User
from marketdata.models import Instrument, SymbolAlias
from marketdata.selectors import instrument_by_symbol
from marketdata.tests.factories import stock
from marketdata.tests.test_find_symbol import MATCHES, vendor

__all__ = ["vendor"]
pytestmark = pytest.mark.django_db


def search_page(client: Client, text: str | None = None) -> Any:
    address = reverse("admin:marketdata_instrument_find_symbol")
    return client.get(address, {} if text is None else {"text": text})


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def offers_in(response: Any) -> dict[str, str]:
    """Return the signed offer of each symbol's button."""
    found = re.findall(
        r'name="offer" value="([^"]+)".*?Add <span class="sr-only">([^<]+)</span>', response.content.decode(), re.DOTALL
    )
    return {symbol: offer for offer, symbol in found}


def post_offer(client: Client, offer: str, **fields: str) -> str:
    """Post an offer and return the page's text."""
    address = reverse("admin:marketdata_instrument_find_symbol")
    return text_of(client.post(address, {"offer": offer, **fields}, follow=True))


def test_staff_search_and_add_instrument(admin_client: Client, vendor: HTTPServer) -> None:
    stock("TESC", name="Tesco Holdings")
    vendor.expect_request("/query").respond_with_json(MATCHES)
    found = search_page(admin_client, "tesco")
    words = text_of(found)
    assert "TESC Tesco Holdings XNYS USD Stored" in words
    assert "TSCO.L Tesco PLC XLON Equity GBX alpha_vantage Add TSCO.L" in words
    offer = offers_in(found)["TSCO.L"]
    assert "TSCO.L was added" in post_offer(admin_client, offer)
    new = instrument_by_symbol("TSCO.L")
    assert (new.name, new.mic, new.currency) == ("Tesco PLC", "XLON", "GBX")
    assert SymbolAlias.objects.get(instrument=new).symbol == "TSCO.LON"
    assert "already in the catalogue" in post_offer(admin_client, offer)
    # The signed offer was enough: the source was queried once.
    assert len(vendor.log) == 1


def test_staff_enter_unknown_exchange(admin_client: Client, vendor: HTTPServer) -> None:
    elsewhere = {**MATCHES["bestMatches"][0], "1. symbol": "000001.SHZ", "4. region": "Shenzhen"}
    vendor.expect_request("/query").respond_with_json({"bestMatches": [elsewhere]})
    found = search_page(admin_client, "ping an")
    assert "unknown (Shenzhen)" in text_of(found)
    offer = offers_in(found)["000001.SZ"]
    assert "pass the exchange&#x27;s MIC" in post_offer(admin_client, offer)
    assert "XXXX has no calendar" in post_offer(admin_client, offer, mic="XXXX")
    assert not Instrument.objects.exists()
    assert "000001.SZ was added" in post_offer(admin_client, offer, mic="xshg")


def test_tampered_offer_is_rejected(admin_client: Client, vendor: HTTPServer) -> None:
    vendor.expect_request("/query").respond_with_json(MATCHES)
    offer = offers_in(search_page(admin_client, "tesco"))["TSCO.L"]
    assert "The search result has expired. Search again." in post_offer(admin_client, "A" + offer[1:])
    assert not Instrument.objects.exists()


def test_invalid_and_unsuccessful_searches(admin_client: Client, vendor: HTTPServer) -> None:
    vendor.expect_request("/query").respond_with_json({"Information": "25 requests per day for QK7SECRETKEY42."})
    assert "This field is required." in text_of(search_page(admin_client, "  "))
    assert "at most 64 characters" in text_of(search_page(admin_client, "x" * 65))
    assert search_page(admin_client, "a\0b").status_code == 400
    assert not vendor.log
    failed = text_of(search_page(admin_client, "zzzz"))
    assert "alpha_vantage: " in failed
    assert "Nothing matches “zzzz”." in failed
    assert "SECRET" not in failed


def test_catalogue_is_searched_without_search_provider(admin_client: Client) -> None:
    stock("ACME")
    words = text_of(search_page(admin_client, "acme"))
    assert "ACME ACME Corporation XNYS USD Stored" in words
    assert "ALPHA_VANTAGE_API_KEY" in words
    listed = admin_client.get(reverse("admin:marketdata_instrument_changelist")).content.decode()
    assert f'href="{reverse("admin:marketdata_instrument_find_symbol")}"' in listed


def test_search_needs_add_permission(client: Client) -> None:
    reader = User.objects.create_user("reader@example.com", "a-long-password-7", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_instrument"))
    client.force_login(reader)
    assert search_page(client).status_code == 403
    assert client.post(reverse("admin:marketdata_instrument_find_symbol"), {"offer": "x"}).status_code == 403
