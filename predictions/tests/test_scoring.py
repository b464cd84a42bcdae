"""Scoring: what was said is met with what happened, once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from marketdata.models import DailyBar, Instrument
from marketdata.records import CorporateActionRecord
from predictions.models import Forecast, Outcome
from predictions.services.scoring import ScoreReport, basis_factor, outcome_of, score_matured
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


def test_an_outcome_says_error_direction_and_which_intervals_held(apple: Instrument) -> None:
    said = forecast(apple)
    bar(apple, TARGET, "97.5")
    assert score_matured(now=NOW) == ScoreReport(scored=1, waiting=0)
    outcome = Outcome.objects.get()
    # said 102 from 100 with P(up) .56; 97.5 lies outside 99..105 and inside 95..109 and 90..115
    assert (outcome.forecast, outcome.revision, outcome.recorded_at) == (said, 0, NOW)
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
    outcome = outcome_of(forecast(apple), Decimal(close), revision=0, now=NOW)
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


def test_after_a_split_the_outcome_is_on_the_basis_the_forecast_was_told_on(apple: Instrument) -> None:
    forecast(apple)
    split(apple, date(2023, 9, 19), "4")
    Instrument.objects.update(basis_date=TARGET)
    bar(apple, TARGET, "25.5")
    score_matured(now=NOW)
    # four new shares for one old: 25.50 a new share is 102.00 an old one
    assert Outcome.objects.get().actual_price == Decimal("102")


@pytest.mark.parametrize(
    ("told_on", "stored_on", "factor"),
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
    told_on: date | None, stored_on: date | None, factor: str
) -> None:
    told = [(date(2022, 5, 5), 7), (date(2023, 2, 1), 4), (date(2023, 6, 1), 2)]
    splits = [CorporateActionRecord(session, "split", Decimal(value)) for session, value in told]
    assert basis_factor(splits, told_on=told_on, stored_on=stored_on) == Decimal(factor)


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
    told = Outcome.objects.order_by("revision").values_list("revision", "actual_price", "went_up")
    assert list(told) == [(0, Decimal("101"), True), (1, Decimal("99.5"), False)]


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


def test_the_number_of_queries_does_not_grow_with_the_number_of_forecasts(
    apple: Instrument, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stocks = [apple, stock("META"), stock("NVDA")]
    forecasts(stocks, horizons=(1, 5))
    for one in stocks:
        bar(one, TARGET, "101")
        bar(one, date(2023, 9, 15), "101")
    # savepoint and its release, matured, closes, splits, outcomes, corrections, waiting
    with django_assert_num_queries(8):
        assert score_matured(now=NOW, through=TARGET).scored == 6
