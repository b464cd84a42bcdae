"""Walk-forward: fit dates, no look-ahead, and detection of a planted edge."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mlops.forecasting.backtest.report import ReportInputs, report
from mlops.forecasting.backtest.rows import EvaluationPeriod
from mlops.forecasting.backtest.walk_forward import WalkForward, evaluation_periods
from mlops.forecasting.backtest.workers import walk_forward
from mlops.forecasting.bundle import UP
from mlops.forecasting.errors import TooFewTestSessions, TooLittleHistory
from mlops.forecasting.figures import Figures
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.learning import learning_set
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings
from mlops.forecasting.tests.small import light_settings, panel_from_close, small_panel
from mlops.forecasting.tests.synthetic import synthetic_panel, weekdays
from mlops.forecasting.types import HORIZONS, Panel, no_progress

FIRST = 600
STRETCHES = [EvaluationPeriod(FIRST, 680), EvaluationPeriod(680, 760)]


@pytest.fixture(scope="module")
def walked() -> WalkForward:
    return walk_forward(small_panel(), STRETCHES, light_settings(), workers=1, progress=no_progress)


def test_a_fit_for_every_calendar_year_of_the_test() -> None:
    # 1,000 weekdays from 2015-01-05: row 782 is 2018-01-03 and row 520 is 2017-01-02; the last is 2018-11-02.
    days = weekdays(1000)
    assert days[[520, 781, 999]].tolist() == [date(2017, 1, 2), date(2018, 1, 2), date(2018, 11, 2)]
    found = evaluation_periods(days, test_from=date(2017, 6, 1), refit="yearly")
    assert [str(days[each.first]) for each in found] == ["2017-06-01", "2018-01-01"]
    assert [each.end for each in found] == [780, 1000]


@pytest.mark.parametrize(("refit", "fits"), [("never", 1), ("yearly", 2), ("quarterly", 7), ("monthly", 17)])
def test_fits_a_calendar_part(refit: str, fits: int) -> None:
    # June 2017 to October 2018: 2 years, 6 quarters and the begun one, 17 months and two sessions of November.
    found = evaluation_periods(weekdays(1000), test_from=date(2017, 6, 1), refit=refit)
    assert len(found) == fits
    assert [each.first for each in found[1:]] == [each.end for each in found[:-1]]


def test_a_few_last_sessions_have_no_fit_of_their_own() -> None:
    # 2018 has 52 sessions up to row 833, fewer than a quarter of 252, and 63 up to row 844.
    found = evaluation_periods(weekdays(833), test_from=date(2017, 6, 1), refit="yearly")
    assert [(each.first, each.end) for each in found] == [(628, 833)]
    assert len(evaluation_periods(weekdays(844), test_from=date(2017, 6, 1), refit="yearly")) == 2


def test_a_test_needs_sessions_on_both_sides() -> None:
    days = weekdays(1000)
    with pytest.raises(TooLittleHistory, match="503 sessions of history are too few"):
        evaluation_periods(days, test_from=days[503].astype(object), refit="never")
    with pytest.raises(TooFewTestSessions, match="the bars end on 2018-11-02"):
        evaluation_periods(days, test_from=days[921].astype(object), refit="never")
    with pytest.raises(TooFewTestSessions):
        evaluation_periods(days, test_from=date(2040, 1, 1), refit="never")
    assert evaluation_periods(days, test_from=days[504].astype(object), refit="never")
    assert evaluation_periods(days, test_from=days[920].astype(object), refit="never")


def test_every_session_is_forecast_once_for_every_stock(walked: WalkForward) -> None:
    for horizon in HORIZONS:
        rows = walked.rows_of(horizon)
        abstained = sum(each.rows.abstained for each in walked.evaluated)
        # Four symbols; the last `horizon` sessions have no outcome.
        assert 0 <= 4 * (760 - FIRST - horizon) - len(rows) <= abstained
        assert len(np.unique(rows.rows * 4 + rows.columns)) == len(rows)
        close = np.log(small_panel().close)
        moved = close[rows.rows + horizon, rows.columns] - close[rows.rows, rows.columns]
        np.testing.assert_allclose(rows.log_return, moved, atol=1e-12)


def test_the_future_changes_no_forecast_before_it(walked: WalkForward) -> None:
    close = small_panel().close.copy()
    close[720:] *= np.linspace(1.0, 2.0, 40)[:, None]
    # Ranges stay as they are: of the altered panel only rows from 720 on may differ.
    altered = replace(small_panel(), close=close, high=np.maximum(small_panel().high, close))
    other = walk_forward(altered, STRETCHES, light_settings(), workers=1, progress=no_progress)
    for horizon in HORIZONS:
        mine, theirs = walked.rows_of(horizon), other.rows_of(horizon)
        early, early_theirs = mine.rows < 720, theirs.rows < 720
        assert early.sum() > 400
        np.testing.assert_array_equal(mine.predicted[UP][early], theirs.predicted[UP][early_theirs])
        np.testing.assert_array_equal(mine.lower[early], theirs.lower[early_theirs])
        np.testing.assert_array_equal(mine.garch_sigma[early], theirs.garch_sigma[early_theirs])
        np.testing.assert_array_equal(mine.relative_calls[early], theirs.relative_calls[early_theirs])


def test_later_fits_reuse_the_searched_settings() -> None:
    settings = replace(light_settings(), search=True)
    shares: list[float] = []
    searched = walk_forward(
        small_panel(), STRETCHES, settings, workers=1, progress=lambda share, stage: shares.append(share)
    )
    assert searched.evaluated[0].trees == searched.evaluated[1].trees
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.slow
def test_processes_change_no_figure(walked: WalkForward) -> None:
    learned = learning_set(small_panel())
    stages: list[str] = []
    several = walk_forward(
        small_panel(), STRETCHES, light_settings(), workers=2, progress=lambda share, stage: stages.append(stage)
    )
    inputs = ReportInputs(small_panel(), learned, 0)
    mine, theirs = (report(each, inputs, HORIZONS)["horizons"] for each in (walked, several))
    assert mine == theirs
    assert "2 of 2, from 2017-08-14: done" in stages


def random_panel(seed: int, *, edge: float) -> Panel:
    """25 random walks over 2,600 sessions, 1.5 % a session; with an edge, their steps lean to where the last five
    went."""
    rng = np.random.default_rng(seed)
    returns = 0.015 * rng.standard_normal((2600, 25))
    for row in range(5, len(returns)):
        returns[row] += 0.015 * edge * np.sign(returns[row - 5 : row].sum(axis=0))
    like = synthetic_panel(sessions=2600, symbols=25)
    return panel_from_close(100 * np.exp(np.cumsum(returns, axis=0)), like)


def figures_of(panel: Panel) -> Figures:
    """A walk with a search and one fit on 2,000 sessions, judged on the other 600."""
    members = MemberSettings(seed=0, sequence=SequenceSettings(hidden=8, most_epochs=1))
    walked = walk_forward(
        panel, [EvaluationPeriod(2000, 2600)], FitSettings(seed=1, members=members), workers=1, progress=no_progress
    )
    figures: Figures = report(walked, ReportInputs(panel, learning_set(panel), 0), HORIZONS)["horizons"]
    return figures


@pytest.mark.slow
def test_random_walks_show_no_edge() -> None:
    figures_by_horizon = figures_of(random_panel(1, edge=0.0))
    assert [figures["buy"]["coverage"] for figures in figures_by_horizon.values()] == [0.0] * len(HORIZONS)
    for horizon, figures in figures_by_horizon.items():
        assert figures["log_loss_ci"][1] > 0
        assert figures["log_loss_vs_climatology"] < 5e-4
        # No better than the better side, no worse than "always up", which a base rate near one half may or may not say.
        assert figures["accuracy"] < max(figures["base_rate"], 1 - figures["base_rate"]) + 0.02
        assert figures["accuracy"] > figures["base_rate"] - 0.02
        # 25 stocks and 30 stretches of 20 sessions: a standard error of .008 at the longest horizon.
        assert abs(figures["interval_95"]["coverage"] - 0.95) < 0.02
        # Three standard errors of the mean of 600 / horizon rank correlations of 25 stocks by chance.
        assert abs(figures["rank_ic"]) < 3 * np.sqrt(int(horizon) / 600 / 24)


@pytest.mark.slow
def test_a_planted_edge_is_found() -> None:
    figures = figures_of(random_panel(1, edge=0.15))
    week = figures["5"]
    assert week["log_loss_ci"][1] < 0
    assert week["buy"]["lift_ci"][0] > 0
    assert week["buy"]["accuracy"] > week["base_rate"] + 0.05
    assert week["relative"]["ci"][0] > 0.5
    assert week["relative"]["strongest"]["coverage"] < week["relative"]["coverage"]
    assert week["auc"] > 0.53
    assert week["rank_ic"] > 0.05
