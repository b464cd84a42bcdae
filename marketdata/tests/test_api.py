"""`/symbols`, `/prices/{symbol}` and `/quotes`: responses, errors and query counts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from pytest_django import DjangoAssertNumQueries, Settings

from marketdata.models import CorporateAction, Instrument, SymbolAlias
from marketdata.tests.factories import NOW, stock, stored_bar

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]
PROBLEM = "application/problem+json"


@pytest.fixture
def call_api(client: Client, settings: Settings) -> Ask:
    """Call the API with a high rate limit."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)

    def call(path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return client.get(f"/api/v1/{path}", query or {}, headers=headers)

    return call


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


def validator_for(schema: dict[str, Any], path: str, status: str = "200") -> Draft202012Validator:
    """Validate a body against the schema of the operation and status."""
    contents = schema["paths"][f"/api/v1/{path}"]["get"]["responses"][status]["content"]
    content = contents.get("application/json") or contents[PROBLEM]
    return Draft202012Validator({**content["schema"], "components": schema["components"]})


@pytest.fixture
def acme() -> Instrument:
    """Ten sessions closing at 100, 102, ... 118; a dividend halves the adjusted closes before the sixth."""
    instrument = stock("ACME", source="first", basis_date=date(2023, 3, 31))
    days = (20, 21, 22, 23, 24, 27, 28, 29, 30, 31)
    for place, day in enumerate(days):
        close = Decimal(100 + 2 * place)
        stored_bar(
            instrument,
            date(2023, 3, day),
            open=close - 1,
            high=close + 1,
            low=close - 2,
            close=close,
            adjusted_close=close if place >= 5 else close / 2,
        )
    return instrument


def test_prices_are_oldest_first_with_their_source(call_api: Ask, acme: Instrument) -> None:
    with time_machine.travel(NOW, tick=False):
        body = call_api("prices/acme", {"from": "2023-03-24", "to": "2023-03-27"}).json()
    assert body == {
        "symbol": "ACME",
        "currency": "USD",
        "source": "first",
        "adjusted": False,
        "known_at": None,
        "as_of": "2023-03-31",
        "basis_date": "2023-03-31",
        "stale": False,
        "bars": [
            {"session": "2023-03-24", "open": 107.0, "high": 109.0, "low": 106.0, "close": 108.0,
             "adjusted_close": 54.0, "volume": 1000},
            {"session": "2023-03-27", "open": 109.0, "high": 111.0, "low": 108.0, "close": 110.0,
             "adjusted_close": 110.0, "volume": 1000},
        ],
        "more_from": None,
    }  # fmt: skip


def test_adjustment_applies_to_all_four_prices(call_api: Ask, acme: Instrument) -> None:
    bar = call_api("prices/ACME", {"to": "2023-03-24", "adjusted": "true"}).json()["bars"][-1]
    assert [bar[name] for name in ("open", "high", "low", "close", "adjusted_close")] == [53.5, 54.5, 53.0, 54.0, 54.0]


def test_open_session_is_not_known(call_api: Ask, acme: Instrument) -> None:
    # New York closes at 20:00 UTC in March, after the clocks changed.
    before = call_api("prices/ACME", {"known_at": "2023-03-28T19:59:59Z"}).json()
    after = call_api("prices/ACME", {"known_at": "2023-03-28T20:00:00Z"}).json()
    assert (before["as_of"], after["as_of"]) == ("2023-03-27", "2023-03-28")
    assert [bar["session"] for bar in after["bars"][-2:]] == ["2023-03-27", "2023-03-28"]
    assert after["known_at"] == "2023-03-28T20:00:00Z"


def test_known_at_undoes_later_splits_and_dividends(call_api: Ask, acme: Instrument) -> None:
    for day, value in ((30, 4), (22, 3)):
        CorporateAction.objects.create(
            instrument=acme, session=date(2023, 3, day), kind="split", value=Decimal(value), source="first"
        )
    body = call_api("prices/ACME", {"known_at": "2023-03-24T21:00:00Z"}).json()
    # On the 24th the split of the 30th was not known: four times the price, a quarter of the volume. The dividend of
    # the 27th was not known either, so that the adjusted close of the newest session is its close.
    bar = body["bars"][-1]
    assert (bar["close"], bar["adjusted_close"], bar["volume"], body["basis_date"]) == (432.0, 432.0, 250, "2023-03-24")
    adjusted = call_api("prices/ACME", {"known_at": "2023-03-24T21:00:00Z", "adjusted": "true"}).json()
    assert adjusted["bars"] == body["bars"]


def test_known_at_result_never_changes(call_api: Ask, acme: Instrument) -> None:
    query = {"known_at": "2023-03-24T21:00:00Z"}
    before = call_api("prices/ACME", query).content
    # A dividend halves every adjusted close, and a 2:1 split every price.
    CorporateAction.objects.create(
        instrument=acme, session=date(2023, 4, 3), kind="split", value=Decimal(2), source="first"
    )
    for bar in acme.bars.all():
        for name in ("open", "high", "low", "close"):
            setattr(bar, name, getattr(bar, name) / 2)
        bar.adjusted_close /= 4
        bar.volume *= 2
        bar.save()
    Instrument.objects.filter(pk=acme.pk).update(basis_date=date(2023, 4, 3))
    assert call_api("prices/ACME", query).content == before


def test_long_series_is_paginated(call_api: Ask, acme: Instrument) -> None:
    first = call_api("prices/ACME", {"limit": 6}).json()
    assert (len(first["bars"]), first["more_from"]) == (6, "2023-03-28")
    rest = call_api("prices/ACME", {"from": first["more_from"], "limit": 6}).json()
    assert ([bar["close"] for bar in rest["bars"]], rest["more_from"]) == ([112.0, 114.0, 116.0, 118.0], None)


def test_prices_as_csv(call_api: Ask, acme: Instrument) -> None:
    answer = call_api("prices/ACME", {"from": "2023-03-30"}, accept="text/csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "Accept" in answer["Vary"]
    assert answer.content.decode() == (
        "session,open,high,low,close,adjusted_close,volume\r\n"
        "2023-03-30,115.0,117.0,114.0,116.0,116.0,1000\r\n"
        "2023-03-31,117.0,119.0,116.0,118.0,118.0,1000\r\n"
    )
    refused = call_api("prices/NONE", accept="text/csv")
    assert (refused.status_code, refused["Content-Type"], refused.json()["symbol"]) == (404, PROBLEM, "NONE")


def test_etag_returns_304(call_api: Ask, acme: Instrument) -> None:
    tag = call_api("prices/ACME")["ETag"]
    again = call_api("prices/ACME", **{"if-none-match": tag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    stored_bar(acme, date(2023, 4, 3))
    assert call_api("prices/ACME", **{"if-none-match": tag}).status_code == 200
    refused = call_api("prices/NOPE")
    assert (refused.status_code, "ETag" in refused, refused["Cache-Control"]) == (404, False, "no-store")


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("prices/ACME", {"from": "yesterday"}, "from"),
        ("prices/ACME", {"limit": ""}, "limit"),
        ("prices/ACME", {"limit": "1_000"}, "limit"),
        ("prices/ACME", {"adjusted": "1"}, "adjusted"),
        ("prices/ACME", {"limit": 5_001}, "limit"),
        ("prices/ACME", {"adjusted": "perhaps"}, "adjusted"),
        ("prices/ACME", {"from": ["2023-03-30", "2023-03-29"]}, "from"),
        ("symbols", {"search": "x" * 65}, "search"),
        ("symbols", {"search": "a\x01b"}, "search"),
        ("symbols", {"limit": 0}, "limit"),
        ("symbols", {"page": 1_001}, "page"),
        ("quotes", {}, "symbols"),
        ("quotes", {"symbols": ","}, "symbols"),
        ("quotes", {"symbols": ",".join(f"S{n}" for n in range(51))}, "symbols"),
        ("quotes", {"symbols": "A" * 1_001}, "symbols"),
    ],
)
def test_invalid_query_is_explained(
    call_api: Ask, acme: Instrument, schema: dict[str, Any], path: str, query: dict[str, Any], field: str
) -> None:
    answer = call_api(path, query)
    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM)
    assert list(answer.json()["errors"]) == [field]
    validator_for(schema, path.replace("ACME", "{symbol}"), "400").validate(answer.json())


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ({"from": "2023-03-30", "to": "2023-03-29"}, 404, "empty-period"),
        ({"known_at": "2999-01-01T00:00:00Z"}, 409, "instant-ahead"),
        ({"known_at": "1989-01-01T00:00:00Z"}, 404, "unknown-session"),
    ],
)
def test_empty_range_and_future_known_at_have_own_problems(
    call_api: Ask, acme: Instrument, schema: dict[str, Any], query: dict[str, str], status: int, slug: str
) -> None:
    answer = call_api("prices/ACME", query)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/api/problems#{slug}")
    validator_for(schema, "prices/{symbol}", str(status)).validate(answer.json())


@pytest.mark.parametrize("path", ["prices/ACME?format=csv", "prices/ACME"])
def test_unknown_parameter_lists_allowed_ones(call_api: Ask, client: Client, acme: Instrument, path: str) -> None:
    answer = client.options(f"/api/v1/{path}")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(("symbol", "status"), [("NONE", 404), ("A$B", 400)])
def test_invalid_symbol_is_a_problem(call_api: Ask, schema: dict[str, Any], symbol: str, status: int) -> None:
    answer = call_api(f"prices/{symbol}")
    assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM)
    validator_for(schema, "prices/{symbol}", str(status)).validate(answer.json())


def test_instrument_without_bars_has_empty_series(call_api: Ask) -> None:
    stock("NEW")
    body = call_api("prices/NEW").json()
    assert (body["bars"], body["as_of"], body["stale"], body["more_from"]) == ([], None, True, None)


def test_every_response_has_rate_limit_headers(call_api: Ask, acme: Instrument) -> None:
    calls: list[tuple[str, dict[str, str]]] = [
        ("symbols", {}),
        ("prices/ACME", {}),
        ("prices/NONE", {}),
        ("quotes", {"symbols": "ACME"}),
        ("quotes", {}),
    ]
    answers = [call_api(path, query) for path, query in calls]
    assert [answer.has_header("RateLimit") for answer in answers] == [True] * 5


def test_catalogue_is_paginated_by_symbol(call_api: Ask) -> None:
    for symbol in ("CCC", "AAA", "BBB"):
        stock(symbol)
    first = call_api("symbols", {"limit": 2}).json()
    assert ([one["symbol"] for one in first["symbols"]], first["next_page"]) == (["AAA", "BBB"], 2)
    last = call_api("symbols", {"limit": 2, "page": 2}).json()
    assert ([one["symbol"] for one in last["symbols"]], last["next_page"]) == (["CCC"], None)


@pytest.mark.parametrize("text", ["AAPL", "aapl", "AAP", "APPL", "apple", "aple", "Apple Inc"])
def test_search_tolerates_typos(call_api: Ask, text: str) -> None:
    stock("NVDA", name="NVIDIA Corporation")
    stock("AAPL", name="Apple Inc.", mic="XNAS", sector="Technology")
    assert call_api("symbols", {"search": text}).json()["symbols"] == [
        {"symbol": "AAPL", "name": "Apple Inc.", "exchange": "XNAS", "sector": "Technology", "currency": "USD",
         "active": True, "delisted_on": None}
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["%", "_", "zzzz", "'"])
def test_dissimilar_search_finds_nothing(call_api: Ask, text: str) -> None:
    stock("AAPL", name="Apple Inc.")
    assert call_api("symbols", {"search": text}).json()["symbols"] == []


def test_search_finds_delisted_stock_and_alias(call_api: Ask) -> None:
    meta = stock("META", name="Meta Platforms")
    SymbolAlias.objects.create(instrument=meta, symbol="FB")
    stock("LEHM", name="Lehman Brothers", is_active=False, delisted_on=date(2008, 9, 17))
    assert [one["symbol"] for one in call_api("symbols", {"search": "FB"}).json()["symbols"]] == ["META"]
    found = call_api("symbols", {"search": "lehman"}).json()["symbols"][0]
    assert (found["active"], found["delisted_on"]) == (False, "2008-09-17")


def test_quotes_are_latest_closes_with_staleness(call_api: Ask, acme: Instrument) -> None:
    stored_bar(stock("LONE"), date(2023, 3, 31))
    stored_bar(acme, date(2023, 4, 3), is_final=False)
    with time_machine.travel(NOW, tick=False):
        body = call_api("quotes", {"symbols": "lone,ACME,acme,APPL,<b>"}).json()
    # From 116 to 118: 2 more, 1.7241 %.
    assert body["quotes"] == [
        {"symbol": "LONE", "name": "LONE Corporation", "currency": "USD", "price": 101.0,
         "as_of": "2023-03-31T20:00:00Z", "session": "2023-03-31", "previous_close": None, "change": None,
         "change_percent": None, "kind": "close", "source": "test", "delayed": False, "stale": False},
        {"symbol": "ACME", "name": "ACME Corporation", "currency": "USD", "price": 118.0,
         "as_of": "2023-03-31T20:00:00Z", "session": "2023-03-31", "previous_close": 116.0, "change": 2.0,
         "change_percent": 1.7241, "kind": "close", "source": "test", "delayed": False, "stale": False},
    ]  # fmt: skip
    assert body["missing"] == [
        {"symbol": "APPL", "detail": "No price is stored for APPL."},
        {"symbol": "<b>", "detail": "Invalid symbol: '<b>'."},
    ]
    assert {one["stale"] for one in call_api("quotes", {"symbols": "ACME"}).json()["quotes"]} == {True}


def test_responses_conform_to_schema(call_api: Ask, acme: Instrument, schema: dict[str, Any]) -> None:
    stock("LONE")
    stored_bar(stock("DEAD", is_active=False, delisted_on=date(2023, 3, 30)), date(2023, 3, 30))
    validator_for(schema, "symbols").validate(call_api("symbols").json())
    for query in ({}, {"adjusted": "true", "limit": 3}, {"known_at": "2023-03-24T21:00:00Z"}):
        validator_for(schema, "prices/{symbol}").validate(call_api("prices/ACME", query).json())
    validator_for(schema, "prices/{symbol}").validate(call_api("prices/LONE").json())
    validator_for(schema, "quotes").validate(call_api("quotes", {"symbols": "ACME,DEAD,LONE,NONE"}).json())
    bent = call_api("prices/ACME").json() | {"stale": "yes"}
    assert not validator_for(schema, "prices/{symbol}").is_valid(bent)


@pytest.mark.parametrize("path", ["symbols", "prices/{symbol}", "quotes"])
def test_examples_conform_to_schema(schema: dict[str, Any], path: str) -> None:
    content = schema["paths"][f"/api/v1/{path}"]["get"]["responses"]["200"]["content"]["application/json"]
    examples = [example["value"] for example in content["examples"].values()]
    assert len(examples) == 1
    validator_for(schema, path).validate(examples[0])


@pytest.mark.parametrize(
    ("path", "query", "queries"),
    [
        ("symbols", {}, 1),
        ("symbols", {"search": "acm"}, 1),
        ("prices/ACME", {}, 3),
        ("prices/ACME", {"known_at": "2023-03-24T21:00:00Z"}, 4),
        ("quotes", {"symbols": "ACME"}, 1),
        ("quotes", {"symbols": "ACME,S1,S2,S3,NONE"}, 1),
    ],
)
def test_number_of_queries_is_fixed(
    call_api: Ask,
    acme: Instrument,
    django_assert_num_queries: DjangoAssertNumQueries,
    path: str,
    query: dict[str, Any],
    queries: int,
) -> None:
    for symbol in ("S1", "S2", "S3"):
        stored_bar(stock(symbol))
    with django_assert_num_queries(queries):
        assert call_api(path, query).status_code == 200
