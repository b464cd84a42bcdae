"""The figures of a walk, from forecasts and outcomes made by hand."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mlops.forecasting.backtest.coverage import interval_figures
from mlops.forecasting.backtest.report import ReportInputs, expanding_rates, horizon_figures
from mlops.forecasting.backtest.rows import WalkForwardRows
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.metrics.skill import brier_skill, price_mse_skill
from mlops.forecasting.models.samples import Samples
from mlops.forecasting.tests.synthetic import synthetic_panel, weekdays
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

SESSIONS, SYMBOLS = 240, 5
HORIZON = 5
POSITION = HORIZONS.index(HORIZON)


def panel() -> Panel:
    """Five symbols on 240 weekdays from 2019-06-03: 152 of 2019 and 88 of 2020."""
    made = synthetic_panel(sessions=SESSIONS, symbols=SYMBOLS)
    return replace(made, sessions=weekdays(SESSIONS, date(2019, 6, 3)))


def forecasts(**changes: FloatArray) -> WalkForwardRows:
    """A forecast for every symbol and session: P(up) .6 for the first two symbols, who rise, .4 for the others, who
    fall; everything moves by 2 %."""
    rows, columns = np.divmod(np.arange(SESSIONS * SYMBOLS), SYMBOLS)
    count = len(rows)
    up = (columns < 2).astype(np.float64)
    predicted = {
        UP: np.where(columns < 2, 0.6, 0.4),
        BEATS_MEDIAN: np.full(count, 0.5),
        VOLATILITY_RISES: np.full(count, np.nan),
        BIG_MOVE: np.full(count, 0.1),
    }
    actual = {UP: up, BEATS_MEDIAN: up, VOLATILITY_RISES: np.full(count, np.nan), BIG_MOVE: np.zeros(count)}
    nothing = np.zeros(count)
    made = WalkForwardRows(
        rows=rows,
        columns=columns,
        log_return=np.where(up > 0, 0.02, -0.02),
        expected=nothing,
        lower=np.full((count, 3), -0.03),
        upper=np.full((count, 3), 0.03),
        predicted=predicted,
        actual=actual,
        bought=np.zeros(count, dtype=bool),
        relative_calls=np.zeros((count, 2), dtype=np.int8),
        garch_centre=nothing,
        garch_sigma=np.full(count, 0.01),
        constant_centre=nothing,
        constant_sigma=np.full(count, np.nan),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the names are those of the fields


def inputs(rows: WalkForwardRows) -> ReportInputs:
    """The learning set of the rows: the same positions and outcomes at every horizon."""
    samples = Samples(np.zeros((SESSIONS, SYMBOLS, 1)), rows.rows, rows.columns)
    labels = {head: np.repeat(values[:, None], len(HORIZONS), axis=1) for head, values in rows.actual.items()}
    several = np.repeat(rows.log_return[:, None], len(HORIZONS), axis=1)
    learned = LearningSet(panel().symbols, SESSIONS, ("x",), ("x",), samples, samples, labels, several, several)
    return ReportInputs(panel(), learned, seed=1)


def test_direction_and_its_base_rate() -> None:
    rows = forecasts()
    figures = horizon_figures(rows, inputs(rows), HORIZON)
    assert figures["n"] == 1200
    assert figures["base_rate"] == pytest.approx(0.4)
    assert figures["accuracy"] == 1.0
    assert figures["accuracy_ci"] == (1.0, 1.0)
    assert figures["auc"] == 1.0
    # Each of the two probabilities is 0.4 away from what always happens.
    assert figures["calibration_error"] == pytest.approx(0.4)


def test_log_loss_and_brier_score_against_what_was_known_at_the_origin() -> None:
    rows = forecasts()
    figures = horizon_figures(rows, inputs(rows), HORIZON)
    # At row t the outcomes of the origins 0 .. t - 5 are known, 2 of 5 rises each, plus half a yes and half a no.
    known = np.maximum(np.arange(SESSIONS) - HORIZON + 1, 0)
    rates = (2 * known + 0.5) / (5 * known + 1)
    lost = 0.4 * np.log(0.6 / rates) + 0.6 * np.log(0.6 / (1 - rates))
    assert figures["log_loss_vs_climatology"] == pytest.approx(-lost.mean())
    low, high = figures["log_loss_ci"]
    assert low <= -lost.mean() <= high < 0
    naive = 0.4 * (1 - rates) ** 2 + 0.6 * rates**2
    assert figures["brier_skill"] == pytest.approx(1 - 0.16 / naive.mean())


def test_an_outcome_counts_in_the_base_rate_once_it_is_known() -> None:
    rows = forecasts()
    rates = expanding_rates(inputs(rows).learned, UP, POSITION, SESSIONS)
    np.testing.assert_allclose(rates[:7], [0.5, 0.5, 0.5, 0.5, 0.5, 2.5 / 6, 4.5 / 11])


def test_no_signal_has_no_precision() -> None:
    rows = forecasts()
    buy = horizon_figures(rows, inputs(rows), HORIZON)["buy"]
    assert buy["coverage"] == 0
    assert np.isnan(buy["accuracy"])
    assert buy["lift_ci"] is None


def test_a_buy_is_compared_with_all_of_its_days() -> None:
    # Bought in every second session: symbols 0 and 2, of whom the first rises: 50 %. Of all five, two rise: 40 %.
    rows = forecasts()
    bought = (rows.rows % 2 == 0) & np.isin(rows.columns, [0, 2])
    buy = horizon_figures(replace(rows, bought=bought), inputs(rows), HORIZON)["buy"]
    assert buy["n"] == 240
    assert buy["coverage"] == pytest.approx(0.2)
    assert buy["accuracy"] == pytest.approx(0.5)
    assert buy["base_rate_same_day"] == pytest.approx(0.4)
    assert buy["lift_same_day"] == pytest.approx(0.1)
    assert buy["lift_ci"] == pytest.approx((0.1, 0.1))


def test_calls_against_the_median() -> None:
    # Symbol 0 is called to beat it and does; 1 to lag, and beats it; 2 to lag and does; the stronger half calls 0 only.
    rows = forecasts()
    calls = np.zeros((1200, 2), dtype=np.int8)
    for column, call in ((0, 1), (1, -1), (2, -1)):
        calls[rows.columns == column, 0] = call
    calls[rows.columns == 0, 1] = 1
    relative = horizon_figures(replace(rows, relative_calls=calls), inputs(rows), HORIZON)["relative"]
    assert relative["accuracy"] == pytest.approx(2 / 3)
    assert relative["coverage"] == pytest.approx(0.6)
    assert relative["ci"] == pytest.approx((2 / 3, 2 / 3))
    assert relative["strongest"]["accuracy"] == 1.0
    assert relative["strongest"]["coverage"] == pytest.approx(0.2)


def test_risk_targets_follow_their_definitions() -> None:
    rows = forecasts()
    rises = np.where(rows.rows % 2 == 0, 1.0, 0.0)
    rises[rows.rows < 60] = np.nan
    rows.actual[VOLATILITY_RISES][:] = rises
    rows.predicted[VOLATILITY_RISES][:] = np.where((rows.columns < 4) == (rises > 0.5), 0.7, 0.3)
    figures = horizon_figures(rows, inputs(rows), HORIZON)
    # Four of five symbols are predicted correctly; 180 sessions have an outcome.
    assert figures["volatility_rises"]["n"] == 900
    assert figures["volatility_rises"]["accuracy"] == pytest.approx(0.8)
    assert figures["volatility_rises"]["base_rate"] == pytest.approx(0.5)
    # Of the pairs of a rise and a fall .8 * .8 are in order, .2 * .2 in the wrong one, the others equal.
    assert figures["volatility_rises"]["auc"] == pytest.approx(0.64 + 0.16)
    assert figures["big_move"]["accuracy"] == 1.0
    assert figures["big_move"]["base_rate"] == 0.0
    assert np.isnan(figures["big_move"]["auc"])


def test_price_skill_by_hand() -> None:
    # Prices went to 1.1 and 0.9 of the last; the forecasts were 1.05 and 1: errors .05 and -.1 against .1 and -.1.
    predicted, actual = np.log([1.05, 1.0]), np.log([1.1, 0.9])
    assert price_mse_skill(predicted, actual) == pytest.approx(1 - (0.0025 + 0.01) / 0.02)


def test_brier_skill_by_hand() -> None:
    # Errors .2 and .4 against .5 and .5.
    predicted, actual, base = np.array([0.8, 0.4]), np.array([1.0, 0.0]), np.array([0.5, 0.5])
    assert brier_skill(predicted, actual, base) == pytest.approx(1 - (0.04 + 0.16) / 0.5)
    assert np.isnan(brier_skill(predicted, actual, actual))


def test_intervals_and_who_fared_worst() -> None:
    # Moves of 2 % within 3 % either side, but of the third symbol 5 % in the sessions of 2020, 88 of 240.
    rows = forecasts()
    late = (rows.columns == 2) & (rows.rows >= 152)
    rows = replace(rows, log_return=np.where(late, 0.05, rows.log_return))
    figures = interval_figures(rows, panel(), 1)
    assert figures["coverage"] == pytest.approx(1 - 88 / 1200)
    assert figures["worst_symbol"] == pytest.approx(1 - 88 / 240)
    assert figures["worst_symbol_name"] == "S002"
    assert figures["worst_year"] == pytest.approx(0.8)
    assert figures["worst_year_name"] == 2020
    # From 2020-02-18 to 2020-04-30, and nothing in 2008.
    assert figures["crashes"]["2020"] == pytest.approx(0.8)
    assert np.isnan(figures["crashes"]["2008"])
    # Ours: width .06, and 2 / .05 = 40 times the .02 missed in 88 rows. GARCH reaches 1.959964 % either side.
    ours = 0.06 + 40 * 0.02 * 88 / 1200
    theirs = 2 * 0.01959964 + 40 * (0.02 - 0.01959964) * 1112 / 1200 + 40 * (0.05 - 0.01959964) * 88 / 1200
    assert figures["winkler_vs_garch"] == pytest.approx(ours / theirs, rel=1e-6)
    assert np.isnan(figures["winkler_vs_constant"])


def test_a_stock_with_few_forecasts_is_not_ranked_worst() -> None:
    rows = forecasts()
    late = rows.rows >= 130
    outside = replace(rows, log_return=np.where(rows.columns == 2, 1.0, 0.0))
    # The third symbol, the only one outside, has 110 forecasts where the others have 240; then they have 110 as well.
    assert interval_figures(outside.take(late | (rows.columns != 2)), panel(), 0)["worst_symbol"] == 1.0
    assert interval_figures(outside.take(late), panel(), 0)["worst_symbol"] == 0.0
