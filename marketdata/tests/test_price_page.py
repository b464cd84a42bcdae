"""Price history page: range, order, price basis, `known_on` and CSV."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from marketdata.calendars import sessions_between
from marketdata.models import CorporateAction, DailyBar, Instrument
from marketdata.tests.factories import NOW, flat_bar, stock

pytestmark = pytest.mark.django_db
PAGE = "/stocks/ACME/prices"


@pytest.fixture
def acme() -> Instrument:
    """Every session of 2022 and of 2023 up to 31 March, closing at 1, 2, 3, ...; adjusted closes are half of it."""
    instrument = stock("ACME", source="sample", basis_date=date(2023, 3, 31))
    for number, session in enumerate(sessions_between("XNYS", date(2022, 1, 3), date(2023, 3, 31)), start=1):
        flat_bar(instrument, session, str(number), adjusted_close=Decimal(number) / 2)
    return instrument


def page(client: Client, query: str = "", status: int = 200) -> str:
    with time_machine.travel(NOW, tick=False):
        answer = client.get(f"{PAGE}?{query}")
    assert answer.status_code == status
    return answer.content.decode()


def sessions_of(text: str) -> Sequence[str]:
    return re.findall(r'<th scope="row"[^>]*><time datetime="([0-9-]+)"', text)


def text_of(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text.split("<main", 1)[1].split("</main>")[0]).split())


def test_default_is_three_months_newest_first(client: Client, acme: Instrument) -> None:
    text = page(client)
    sessions = sessions_of(text)
    # 92 days before 31 March 2023 is 29 December 2022.
    assert (sessions[0], sessions[-1], len(sessions)) == ("2023-03-31", "2022-12-29", 64)
    # 251 sessions in 2022 and 62 since.
    assert "Fri 31 Mar 2023 313.00 313.00 313.00 313.00 156.50 1,000" in text_of(text)
    assert "64 trading days, in USD, adjusted for splits to Fri 31 Mar 2023 · sample data" in text_of(text)
    assert 'aria-sort="descending"><a href="?sort=session&amp;order=asc">Date' in text


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("range=1m", "2023-03-31", "2023-02-28"),
        ("range=1y", "2023-03-31", "2022-03-30"),
        ("range=5y", "2023-03-31", "2022-01-03"),
        ("first=2022-06-01&last=2022-06-03", "2022-06-03", "2022-06-01"),
        ("first=2022-06-01&last=2022-06-03&order=asc", "2022-06-01", "2022-06-03"),
        ("range=1m&sort=close&order=asc", "2023-02-28", "2023-03-31"),
        ("last=2022-06-03&range=1m&sort=volume", "2022-05-03", "2022-06-03"),
    ],
)
def test_range_and_order_can_be_chosen(client: Client, acme: Instrument, query: str, first: str, last: str) -> None:
    sessions = sessions_of(page(client, query))
    assert (sessions[0], sessions[-1]) == (first, last)


def test_table_is_limited_and_links_to_the_rest(
    client: Client, acme: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketdata.forms.MAX_ROWS", 3)
    text = page(client, "first=2022-06-01&last=2022-06-30")
    assert sessions_of(text) == ["2022-06-03", "2022-06-02", "2022-06-01"]
    assert 'href="?first=2022-06-06&amp;last=2022-06-30"' in text


def test_adjusted_prices_are_shown(client: Client, acme: Instrument) -> None:
    assert "Fri 31 Mar 2023 156.50 156.50 156.50 156.50 156.50 1,000" in text_of(page(client, "adjusted=on"))


def test_prices_as_known_on_a_day(client: Client, acme: Instrument) -> None:
    CorporateAction.objects.create(
        instrument=acme, session=date(2023, 3, 27), kind="split", value=Decimal(4), source="sample"
    )
    text = page(client, "known_on=2023-03-24&range=1m")
    assert sessions_of(text)[0] == "2023-03-24"
    # Session 308; the later split was not known: four times the price, a quarter of the volume.
    assert "Fri 24 Mar 2023 1,232.00 1,232.00 1,232.00 1,232.00 1,232.00 250" in text_of(text)
    assert "As known on Fri 24 Mar 2023." in text_of(text)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("first=soon", "Enter a valid date."),
        ("first=2022-06-03&last=2022-06-01", "The start must not be after 2022-06-01."),
        ("known_on=2023-04-03", "The date must not be in the future."),
        ("last=0001-01-01", "Enter a date from 1990-01-01 to 2099-12-31."),
        ("known_on=1990-01-01", "calendar starts later than this date"),
        ("range=9y", "Choose one of the ranges and columns"),
        ("sort=name", "Choose one of the ranges and columns"),
    ],
)
def test_invalid_query_shows_error_in_form(client: Client, acme: Instrument, query: str, sentence: str) -> None:
    text = page(client, query, status=400)
    assert sentence in text_of(text)
    name, value = query.split("&")[-1].split("=")
    assert f'value="{value}"' in text or name in ("range", "sort")
    assert sessions_of(text) == []


def test_csv_equals_the_table(client: Client, acme: Instrument, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)
    text = page(client, "first=2022-06-01&last=2022-06-03&adjusted=on&known_on=2023-03-24")
    link = re.search(r'href="(/api/v1/prices/[^"]+)" download="ACME.csv"', text)
    assert link
    answer = client.get(link[1].replace("&amp;", "&"))
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert [row["session"] for row in rows] == list(reversed(sessions_of(text)))
    assert f"{float(rows[-1]['close']):,.2f}" in text_of(text)


def test_empty_states_are_explained(client: Client, acme: Instrument) -> None:
    assert "No prices in this range" in text_of(page(client, "first=2022-06-04&last=2022-06-05"))
    DailyBar.objects.all().delete()
    assert "This stock has no prices" in text_of(page(client))


def test_other_spellings_redirect_and_unknown_symbols_are_404(client: Client, acme: Instrument) -> None:
    answer = client.get("/stocks/acme/prices?range=1m")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/stocks/ACME/prices?range=1m")
    assert client.get("/stocks/NONE/prices").status_code == 404
    assert client.get("/stocks/<b>/prices").status_code == 404


def test_stock_page_links_to_price_history(client: Client, acme: Instrument) -> None:
    assert f'href="{PAGE}"' in client.get("/stocks/ACME").content.decode()


def test_number_of_queries_is_fixed(
    client: Client, acme: Instrument, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for query in ("", "range=5y", "sort=close&adjusted=on"):
        with (
            django_assert_num_queries(3),
            time_machine.travel(datetime.fromisoformat("2023-03-31T21:00:00Z"), tick=False),
        ):
            client.get(f"{PAGE}?{query}")
