"""The stock pages: their content, empty states and number of queries."""

import re
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from marketdata.models import CorporateAction, DailyBar, Instrument
from mlops.models import ModelVersion
from predictions.models import AccuracySnapshot, Forecast
from predictions.services.accuracy import update_accuracy
from predictions.tests.scene import (
    NOW,
    ORIGIN,
    Scene,
    issued_forecast,
    record_outcome,
    scene,
    stocks_with_bars,
    trained,
)

pytestmark = pytest.mark.django_db

HOME_QUERIES = 8
STOCK_QUERIES = 8
CHART_QUERIES = 4
INLINE = re.compile(r"""<[^>]+\s(?:style|on[a-z]+)\s*=|<style|<script(?![^>]*\ssrc=)""")


@pytest.fixture
def shown() -> Scene:
    return scene()


def text_of(client: Client, path: str, status: int = 200) -> str:
    """The words of a page, tags and doubled blanks removed."""
    answer = client.get(path)
    assert answer.status_code == status
    main = answer.content.decode().split("<main", 1)[1].split("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", main.split(">", 1)[1]).split())


def test_home_lists_every_stock(client: Client, shown: Scene) -> None:
    text = text_of(client, "/")
    # AAPL closed at 100 (3% wave: sin 0 = 0); forecast +2%, 80% range -3% to +7%.
    assert "AAPL Apple Inc." in text
    assert "$100.00" in text
    assert "$102.00" in text
    assert "$97.00 to $107.00" in text
    assert text.count("58% chance of rising (typical: 54%)") == 3
    assert text.count("BUY The chance of a rise is 4 points above usual.") == 3
    assert "Thu 28 Sep 2023" in text
    assert (
        "Tested on 1,482 forecasts the model never saw: 95% ranges contained 95.1% of prices. Rising or falling "
        "volatility: 66.1% correct (guessing: 50.2%). Direction: 54.8% correct, no better than always saying “up” "
        "(54.6%)." in text
    )
    assert "NYSE close Thu 21 Sep 2023 sample data model v1" in text


def test_home_shows_the_requested_horizon(client: Client, shown: Scene) -> None:
    text = text_of(client, "/?horizon=20")
    assert "Thu 19 Oct 2023" in text
    assert "no forecast Too little history: 90 sessions, 252 are needed." in text
    assert text.count("HOLD No proven edge.") == 2


@pytest.mark.parametrize("horizon", ["7", "05", "", "5; drop"])
def test_a_horizon_that_is_not_forecast_is_not_found(client: Client, horizon: str) -> None:
    assert "Horizon must be one of 1, 5, 10, 20" in text_of(client, f"/?horizon={horizon}", status=404)


def test_home_takes_as_many_queries_for_many_stocks(
    client: Client, shown: Scene, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Instrument.objects.bulk_create(Instrument(symbol=f"X{n}", name=f"Stock {n}") for n in range(20))
    with django_assert_num_queries(HOME_QUERIES):
        client.get("/")


def test_search_finds_symbol_or_name(client: Client, shown: Scene) -> None:
    text = text_of(client, "/?q=berk")
    assert "BRK.B" in text
    assert "AAPL" not in text
    assert "No stock matches" in text_of(client, "/?q=zzz")
    assert "BRK.B" in text_of(client, "/?q=be%00rk")


def test_long_lists_come_in_pages(client: Client, shown: Scene) -> None:
    Instrument.objects.bulk_create(Instrument(symbol=f"X{n:02}", name=f"Stock {n}") for n in range(60))
    assert "Page 1 of 2" in text_of(client, "/")
    assert "X59" in text_of(client, "/?page=2")
    assert "Page 2 of 2" in text_of(client, "/?page=99")


def test_home_without_stocks_names_the_next_step(client: Client) -> None:
    assert "python manage.py ingest" in text_of(client, "/")


def test_home_without_a_model_still_shows_prices(client: Client) -> None:
    stocks_with_bars()
    text = text_of(client, "/")
    assert "No model has been trained yet" in text
    assert "$100.00" in text
    assert "how" not in text.split("No model", 1)[1].split("AAPL")[0].lower()


def test_home_before_the_first_publication_shows_a_notice(client: Client) -> None:
    stocks_with_bars()
    trained()
    assert "No forecasts published yet" in text_of(client, "/")


def test_forecasts_of_other_versions_and_kinds_are_not_shown(client: Client, shown: Scene) -> None:
    stock = shown.instruments["AAPL"]
    issued_forecast(
        stock, trained("v2", ModelVersion.Stage.CANDIDATE), 5, signal_reason="Of a candidate.", kind="republished"
    )
    issued_forecast(stock, shown.version, 5, signal_reason="A hindcast.", kind=Forecast.Kind.HINDCAST)
    for path in ("/", "/stocks/AAPL"):
        text = text_of(client, path)
        assert "Of a candidate." not in text
        assert "A hindcast." not in text


def test_stock_shows_range_probability_and_record(client: Client, shown: Scene) -> None:
    text = text_of(client, "/stocks/AAPL?horizon=5")
    assert "Forecast for Thu 28 Sep 2023 $102.00 ▲ +2.00%" in text
    assert "$97.00 to $107.00 80% range (95% range: $94.00 to $110.00)" in text
    assert "58% chance of rising (typical: 54% )" in text
    assert "58% chance of rising; these stocks rise 54% of the time." in text
    assert "BUY The chance of a rise is 4 points above usual." in text
    assert "More likely to rise than usual." in text
    assert "Not enough evidence yet: 0 of the roughly 300 scored live forecasts needed." in text
    assert "Direction correct 54.8% baseline: always “up”: 54.6%" in text
    assert "Chance of moving more than 5% (up or down) 21%" in text
    # 0.02 and -0.01 in log odds at P = .58: times .58 * .42 = .2436, so 0.49 and 0.24 points.
    assert "Fell over the last week: raises the probability +0.5" in text
    assert "Restless of late: lowers the probability \N{MINUS SIGN}0.2" in text
    assert "not investment advice" in text


def test_a_forecast_at_the_base_rate_and_a_hold_are_explained(client: Client, shown: Scene) -> None:
    at_base_rate = {"probability_up": Decimal("0.544"), "drivers": [], "signal": "HOLD", "signal_meaning": ""}
    later = ORIGIN.replace(day=22)
    issued_forecast(
        shown.instruments["AAPL"], shown.version, 5, origin=later, signal_reason="no proven edge", **at_base_rate
    )
    text = text_of(client, "/stocks/AAPL")
    assert "Same as the base rate: the model has no view on direction here" in text
    assert "HOLD No proven edge In tests, its strongest signals did not clearly beat" in text
    assert "No factor stands out; the forecast equals the base rate." in text
    assert "of the time" not in text


def test_forecasts_of_the_previous_version_are_marked(client: Client, shown: Scene) -> None:
    ModelVersion.objects.filter(pk=shown.version.pk).update(stage=ModelVersion.Stage.RETIRED)
    trained("v2")
    for path in ("/", "/stocks/AAPL"):
        text = text_of(client, path)
        assert "A new model (v2) is being rolled out. These forecasts are still from v1." in text
        assert "sample data model v1 published" in text
    assert "rolled out" not in text_of(client, "/stocks/BRK.B?horizon=20").split("All horizons")[1]


def test_a_table_shows_all_horizons(client: Client, shown: Scene) -> None:
    text = text_of(client, "/stocks/BRK.B")
    table = text.split("All horizons")[1]
    days = [table.index(day) for day in ("Fri 22 Sep 2023", "Thu 28 Sep 2023", "Thu 5 Oct 2023", "Thu 19 Oct 2023")]
    assert days == sorted(days)
    assert "$180.00 \N{EN DASH} $230.00 58.0% (54.0%)" in table
    assert "Too little history" in table[days[3] :]


def test_an_abstention_gives_reasons_and_no_number(client: Client, shown: Scene) -> None:
    text = text_of(client, "/stocks/BRK.B?horizon=20").split("All horizons")[0]
    assert "no forecast There is no forecast for this stock and horizon, because: Too little history" in text
    assert "(95% range:" not in text


def test_stock_takes_a_fixed_number_of_queries(
    client: Client, shown: Scene, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for horizon in (1, 5, 10, 20):
        with django_assert_num_queries(STOCK_QUERIES):
            client.get(f"/stocks/AAPL?horizon={horizon}")


@pytest.mark.parametrize("spelling", ["brk.b", "BRK-B", "brk-b"])
def test_other_spellings_lead_to_the_canonical_page(client: Client, shown: Scene, spelling: str) -> None:
    answer = client.get(f"/stocks/{spelling}?horizon=10")
    assert answer.status_code == 302
    assert answer["Location"] == "/stocks/BRK.B?horizon=10"


def test_an_unknown_symbol_gets_suggestions(client: Client, shown: Scene) -> None:
    answer = client.get("/stocks/AAPX")
    assert answer.status_code == 404
    assert 'href="/stocks/AAPL"' in answer.content.decode()


def test_text_that_is_no_symbol_is_not_found_and_not_echoed_as_markup(client: Client, shown: Scene) -> None:
    answer = client.get("/stocks/<b>x")
    assert answer.status_code == 404
    assert "<b>x" not in answer.content.decode()


def test_a_record_needs_enough_forecasts(client: Client, shown: Scene) -> None:
    record_outcome(shown.forecasts["AAPL", 5], right=True)
    update_accuracy(now=NOW)
    text = text_of(client, "/stocks/AAPL")
    assert (
        "Not enough evidence yet: 1 of the roughly 300 scored live forecasts needed. Direction correct: 100.0% "
        "(always “up”: 100.0%). Inside the 95% range: 100.0%. This stock alone: 100% of 1 correct" in text
    )


def test_a_record_counts_first_outcomes_of_this_horizon_only(client: Client, shown: Scene) -> None:
    record_outcome(shown.forecasts["AAPL", 5], right=False)
    record_outcome(shown.forecasts["AAPL", 5], right=True, revision=1)
    record_outcome(shown.forecasts["NVDA", 5], right=True)
    record_outcome(shown.forecasts["AAPL", 10], right=True)
    update_accuracy(now=NOW)
    text = text_of(client, "/stocks/AAPL?horizon=5")
    assert "2 of the roughly 300 scored live forecasts needed. Direction correct: 50.0%" in text
    assert "This stock alone: 0% of 1 correct" in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("skill", "Better than always saying “up” over 3,000 live forecasts of all stocks. Direction correct: 60.0%"),
        (
            "no skill",
            "No better than always saying “up” over 3,000 live forecasts of all stocks. Direction correct: 60.0%",
        ),
    ],
)
def test_a_verdict_is_shown_in_plain_words(client: Client, shown: Scene, verdict: str, words: str) -> None:
    scope = {"kind": "live", "horizon_sessions": 5, "window_days": 0}
    AccuracySnapshot.objects.create(n=3000, hits=1800, ups=1500, verdict=verdict, needed_n=300, **scope)
    assert words in text_of(client, "/stocks/AAPL?horizon=5")


def test_a_stock_without_prices_shows_a_notice(client: Client) -> None:
    Instrument.objects.create(symbol="NEW", name="New Inc.")
    text = text_of(client, "/stocks/NEW")
    assert "No prices are stored for this stock yet." in text
    assert "No model has been trained yet" in text


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("live", None),
        ("late", "These forecasts were recorded after trading had gone on, so they never count in the live record."),
        ("republished", "A newer model repeats forecasts from this day; they count in its own figures only."),
    ],
)
def test_a_page_says_in_one_sentence_that_forecasts_are_not_live(
    client: Client, kind: str, sentence: str | None
) -> None:
    stocks, version = stocks_with_bars(), trained()
    issued_forecast(stocks["AAPL"], version, 5, kind=kind)
    for path in ("/", "/stocks/AAPL"):
        text = text_of(client, path)
        assert "$102.00" in text
        assert ("count in" in text, (sentence or "") in text) == (sentence is not None, True)


def test_old_prices_carry_a_ribbon(client: Client, shown: Scene) -> None:
    for path in ("/", "/stocks/AAPL"):
        text = text_of(client, path)
        assert (
            "Prices are out of date. The latest is the NYSE close of Thu 21 Sep 2023 (sample data); forecasts" in text
        )


def test_chart_arrays_hold_bars_sessions_cone_and_past(
    client: Client, shown: Scene, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    past = issued_forecast(shown.instruments["AAPL"], shown.version, 5, kind=Forecast.Kind.HINDCAST)
    record_outcome(past, right=True)
    with django_assert_num_queries(CHART_QUERIES):
        body = client.get("/stocks/AAPL/chart").json()
    stored = DailyBar.objects.filter(instrument=shown.instruments["AAPL"]).order_by("session")
    assert body["sessions"] == [bar.session.isoformat() for bar in stored]
    assert body["close"][-1] == 100.0
    assert body["origin"] == body["sessions"][-1] == "2023-09-21"
    # NYSE sessions after Thursday 21 September 2023: weekends are left out.
    assert body["future"][:3] == ["2023-09-22", "2023-09-25", "2023-09-26"]
    assert len(body["future"]) == 20
    assert [point["horizon"] for point in body["cone"]] == [1, 5, 10, 20]
    assert body["past"] == [
        {"kind": "hindcast", "session": "2023-09-28", "origin": "2023-09-21", "price": 102.0, "inside": True}
    ]


def test_forecasts_from_before_a_split_are_not_drawn(client: Client, shown: Scene) -> None:
    stock = shown.instruments["AAPL"]
    record_outcome(issued_forecast(stock, shown.version, 5, kind=Forecast.Kind.HINDCAST), right=True)
    CorporateAction.objects.create(
        instrument=stock, session=ORIGIN.replace(day=25), kind=CorporateAction.Kind.SPLIT, value=4, source="sample"
    )
    assert client.get("/stocks/AAPL/chart").json()["past"] == []


def test_chart_of_an_unknown_symbol_is_not_found(client: Client, shown: Scene) -> None:
    assert client.get("/stocks/AAPX/chart").status_code == 404


def test_pages_contain_nothing_inline(client: Client, shown: Scene) -> None:
    User.objects.create_user("ada@example.com", "correct horse")
    paths = ["/", "/?horizon=20", "/stocks/AAPL", "/stocks/BRK.B?horizon=20", "/stocks/AAPX"]
    paths += [f"/accounts/{name}/" for name in ("login", "signup", "password/reset")]
    for path in paths:
        answer = client.get(path)
        assert not INLINE.findall(answer.content.decode()), path
        assert "'unsafe" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["email", "password/change", "logout"])
def test_account_pages_of_a_signed_in_person(client: Client, name: str) -> None:
    client.force_login(User.objects.create_user("ada@example.com", "correct horse"))
    answer = client.get(f"/accounts/{name}/")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "ada@example.com" in page
    assert not INLINE.findall(page)


def test_a_refused_form_shows_its_errors(client: Client) -> None:
    answer = client.post("/accounts/signup/", {"email": "nobody", "password1": "a", "password2": "b"})
    page = answer.content.decode()
    assert 'aria-invalid="true"' in page
    assert 'class="field__error" id="id_email_error"' in page


def test_error_pages_explain_themselves(client: Client) -> None:
    assert "Page not found" in text_of(client, "/nowhere", status=404)
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/accounts/login/", {"login": "a", "password": "b"})
    assert answer.status_code == 403
    assert "Please submit the form again" in answer.content.decode()


def test_stream_address_is_this_site_unless_configured(client: Client) -> None:
    assert 'data-stream-url="ws://testserver/ws/stream"' in client.get("/").content.decode()
    assert 'data-stream-url="wss://testserver/ws/stream"' in client.get("/", secure=True).content.decode()


def test_recorded_instant_is_shown_with_its_zone(client: Client, shown: Scene) -> None:
    page = client.get("/stocks/AAPL").content.decode()
    assert f'datetime="{NOW.isoformat()}" data-instant>21 Sep 2023 22:05 UTC<' in page
    assert shown.forecasts["AAPL", 5].predicted_price == Decimal("102.000000")
