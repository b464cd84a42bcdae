"""Scoring: each forecast is compared with its outcome once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketdata.calendars import session_after
from marketdata.models import DailyBar, Instrument
from marketdata.provider_records import CorporateActionRecord
from predictions.models import Forecast, Outcome, PendingForecast
from predictions.services import scoring
from predictions.services.scoring import ScoreReport, basis_factor, build_outcome, score_matured
from predictions.tasks import score
from predictions.tests.factories import (
    NOW,
    ORIGIN,
    TARGET,
    abstention,
    bar,
    forecast,
    forecasts,
    model_version,
    split,
    stock,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def apple() -> Instrument:
    model_version()
    return stock()


def test_an_outcome_has_error_direction_and_interval_hits(apple: Instrument) -> None:
    stored_forecast = forecast(apple)
    bar(apple, TARGET, "97.5")
    assert score_matured(now=NOW) == ScoreReport(scored=1, waiting=0)
    outcome = Outcome.objects.get()
    # forecast 102 from 100 with P(up) .56; 97.5 lies outside 99..105 and inside 95..109 and 90..115
    assert (outcome.forecast, outcome.revision, outcome.recorded_at) == (stored_forecast, 0, NOW)
    assert (outcome.actual_price, outcome.error) == (Decimal("97.5"), Decimal("4.5"))
    assert (outcome.went_up, outcome.direction_right) == (False, False)
    assert (outcome.inside_80, outcome.inside_95, outcome.inside_99) == (False, True, True)


@pytest.mark.parametrize(
    ("close", "went_up", "right", "inside_80"),
    [
        ("100", False, False, True),
        ("100.01", True, True, True),
        ("105", True, True, True),
        ("105.01", True, True, False),
    ],
)
def test_an_unchanged_price_did_not_rise_and_a_bound_counts_as_inside(
    apple: Instrument, close: str, went_up: bool, right: bool, inside_80: bool
) -> None:
    outcome = build_outcome(forecast(apple), Decimal(close), revision=0, now=NOW)
    assert (outcome.went_up, outcome.direction_right, outcome.inside_80) == (went_up, right, inside_80)


def test_a_second_run_finds_nothing_to_do(apple: Instrument) -> None:
    forecast(apple)
    bar(apple, TARGET, "101")
    score_matured(now=NOW)
    score()
    assert score_matured(now=NOW + timedelta(days=1)) == ScoreReport(scored=0, waiting=0, corrected=0)
    assert Outcome.objects.count() == 1


def test_a_forecast_waits_for_its_session_and_for_the_final_bar(apple: Instrument) -> None:
    forecasts([apple], horizons=(5, 10))
    bar(apple, TARGET, "101", is_final=False)
    bar(apple, ORIGIN, "100")
    assert score_matured(now=NOW) == ScoreReport(scored=0, waiting=2)
    DailyBar.objects.update(is_final=True)
    assert score_matured(now=NOW, through=TARGET - timedelta(days=1)) == ScoreReport(scored=0, waiting=2)
    assert score_matured(now=NOW, through=TARGET) == ScoreReport(scored=1, waiting=1)


def test_an_abstention_is_not_scored(apple: Instrument) -> None:
    abstention(apple)
    bar(apple, TARGET, "101")
    assert score_matured(now=NOW) == ScoreReport(scored=0, waiting=0)
    assert Outcome.objects.count() == 0


def test_after_a_split_the_outcome_is_on_the_basis_of_the_forecast(apple: Instrument) -> None:
    forecast(apple)
    split(apple, date(2023, 9, 19), "4")
    Instrument.objects.update(basis_date=TARGET)
    bar(apple, TARGET, "25.5")
    score_matured(now=NOW)
    # four new shares for one old: 25.50 a new share is 102.00 an old one
    assert Outcome.objects.get().actual_price == Decimal("102")


@pytest.mark.parametrize(
    ("forecast_basis", "bar_basis", "factor"),
    [
        (date(2023, 1, 1), date(2023, 1, 1), "1"),
        (date(2023, 1, 1), date(2023, 6, 1), "8"),
        (date(2023, 2, 1), date(2023, 6, 1), "2"),
        (date(2023, 6, 1), date(2023, 1, 1), "0.125"),
        (None, date(2023, 6, 1), "1"),
        (date(2023, 1, 1), None, "1"),
    ],
)
def test_only_splits_between_the_two_basis_dates_count(
    forecast_basis: date | None, bar_basis: date | None, factor: str
) -> None:
    found = [(date(2022, 5, 5), 7), (date(2023, 2, 1), 4), (date(2023, 6, 1), 2)]
    splits = [CorporateActionRecord(session, "split", Decimal(value)) for session, value in found]
    assert basis_factor(splits, forecast_basis=forecast_basis, bar_basis=bar_basis) == Decimal(factor)


def test_a_corrected_bar_adds_a_revision_and_leaves_the_first_alone(apple: Instrument) -> None:
    forecast(apple)
    bar(apple, TARGET, "101")
    score_matured(now=NOW)
    later = NOW + timedelta(days=1)
    DailyBar.objects.update(close=Decimal("101"), fetched_at=later)
    assert score_matured(now=later + timedelta(hours=1)).corrected == 0
    DailyBar.objects.update(
        open=Decimal("99.5"), low=Decimal("99.5"), close=Decimal("99.5"), fetched_at=later + timedelta(hours=2)
    )
    assert score_matured(now=later + timedelta(hours=3)).corrected == 1
    assert score_matured(now=later + timedelta(hours=4)).corrected == 0
    found = Outcome.objects.order_by("revision").values_list("revision", "actual_price", "went_up")
    assert list(found) == [(0, Decimal("101"), True), (1, Decimal("99.5"), False)]


def test_a_series_restated_for_a_split_corrects_nothing(apple: Instrument) -> None:
    forecast(apple)
    bar(apple, TARGET, "101")
    score_matured(now=NOW)
    later = NOW + timedelta(days=30)
    split(apple, later.date(), "3")
    Instrument.objects.update(basis_date=later.date())
    # 101 / 3 with six decimals, times 3, is 101.000001
    restated = Decimal("33.666667")
    DailyBar.objects.update(open=restated, high=restated, low=restated, close=restated, fetched_at=later)
    assert score_matured(now=later).corrected == 0
    assert Outcome.objects.get().actual_price == Decimal("101")


def test_nothing_is_scored_while_no_price_is_stored(apple: Instrument) -> None:
    forecast(apple)
    assert score_matured(now=NOW) == ScoreReport(scored=0, waiting=0)
    assert Forecast.objects.count() == 1


def test_the_number_of_queries_does_not_grow_with_the_number_of_forecasts(apple: Instrument) -> None:
    stocks = [apple, stock("META"), stock("NVDA")]
    counts = []
    for horizon, scored in ((1, stocks[:1]), (5, stocks)):
        forecasts(scored, horizons=(horizon,))
        for one in scored:
            bar(one, session_after("XNYS", ORIGIN, horizon), "101")
        with CaptureQueriesContext(connection) as queries:
            assert score_matured(now=NOW, through=TARGET).scored == len(scored)
        counts.append(len(queries))
    # the first run creates the progress row: an insert and its savepoint
    assert counts[1] < counts[0] <= 30


def test_a_forecast_of_the_past_is_scored_although_its_bar_was_there_before(apple: Instrument) -> None:
    bar(apple, TARGET, "101")
    assert score_matured(now=NOW).scored == 0
    forecast(apple, kind="hindcast")
    assert score_matured(now=NOW + timedelta(days=9)).scored == 1
    assert PendingForecast.objects.count() == 0


def test_a_backlog_is_scored_in_pieces(apple: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "ROWS_AT_A_TIME", 2)
    forecasts([apple, stock("META"), stock("NVDA")])
    for one in Instrument.objects.all():
        bar(one, TARGET, "101")
    assert score_matured(now=NOW) == ScoreReport(scored=3, waiting=0)


def test_bars_that_were_not_fetched_again_are_not_compared_again(apple: Instrument) -> None:
    forecast(apple)
    bar(apple, TARGET, "101")
    score_matured(now=NOW)
    score_matured(now=NOW + timedelta(days=3))
    # A change that leaves no trace in fetched_at is none that a source makes.
    DailyBar.objects.update(open=Decimal("90"), low=Decimal("90"), high=Decimal("101"), close=Decimal("90"))
    assert score_matured(now=NOW + timedelta(days=4)).corrected == 0
    DailyBar.objects.update(fetched_at=NOW + timedelta(days=4))
    assert score_matured(now=NOW + timedelta(days=5)).corrected == 1


def days_of(instrument: Instrument, closes: dict[str, str]) -> None:
    for day, close in closes.items():
        bar(instrument, date.fromisoformat(day), close)


BEFORE = dict.fromkeys(("2023-09-07", "2023-09-08", "2023-09-11", "2023-09-12", "2023-09-13", "2023-09-14"), "100")


@pytest.mark.parametrize(("close", "rose"), [("100", False), ("101", True)])
def test_swings_are_compared_with_the_same_span_before(apple: Instrument, close: str, rose: bool) -> None:
    # Five sessions at 100 up to the origin; then all stay at 100 but the last, which is the close.
    days_of(apple, BEFORE | dict.fromkeys(("2023-09-15", "2023-09-18", "2023-09-19", "2023-09-20"), "100"))
    bar(apple, TARGET, close)
    forecast(apple)
    score_matured(now=NOW)
    assert Outcome.objects.get().volatility_rose is rose


def test_volatility_is_not_scored_next_to_gaps_and_over_one_session(apple: Instrument) -> None:
    days_of(apple, BEFORE | dict.fromkeys(("2023-09-15", "2023-09-18", "2023-09-20", "2023-09-21"), "100"))
    forecasts([apple], horizons=(1, 5))
    assert score_matured(now=NOW).scored == 2
    assert set(Outcome.objects.values_list("volatility_rose", flat=True)) == {None}


@pytest.mark.parametrize(
    ("signal", "meaning", "close", "right"),
    [
        ("BUY", "rise", "100.01", True),
        ("BUY", "rise", "100", False),
        ("SELL", "risk", "105.01", True),
        ("SELL", "risk", "94.99", True),
        ("SELL", "risk", "105", False),
        ("SELL", "lag", "101", None),
        ("HOLD", "", "101", None),
    ],
)
def test_a_signal_is_correct_by_its_meaning(
    apple: Instrument, signal: str, meaning: str, close: str, right: bool | None
) -> None:
    days_of(apple, {"2023-09-14": "100", "2023-09-21": close})
    forecast(apple, signal=signal, signal_meaning=meaning)
    score_matured(now=NOW)
    assert Outcome.objects.get().call_right is right


def test_a_lag_is_one_behind_the_median_of_all_that_were_forecast_with_it(apple: Instrument) -> None:
    closes = {"AAPL": "101", "META": "103", "NVDA": "105"}
    stocks = [apple, stock("META"), stock("NVDA")]
    for one in stocks:
        days_of(one, {"2023-09-14": "100", "2023-09-21": closes[one.symbol]})
    forecasts(stocks, signal="SELL", signal_meaning="lag")
    score_matured(now=NOW)
    found = dict(Outcome.objects.values_list("forecast__instrument__symbol", "call_right"))
    # the median is META's 3%, which neither lags nor leads
    assert found == {"AAPL": True, "META": None, "NVDA": False}
