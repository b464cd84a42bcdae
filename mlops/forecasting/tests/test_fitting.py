"""Fits: past data only, progress reports, and earned signals."""

from dataclasses import replace

import numpy as np
import pytest

from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES
from mlops.forecasting.errors import PricesStandStill, TooLittleHistory
from mlops.forecasting.features.registry import CHANGE_NAMES
from mlops.forecasting.fitting import fit_bundle, signal_rules
from mlops.forecasting.learning import known_before, learning_set
from mlops.forecasting.models.catalog import search_trees
from mlops.forecasting.models.settings import MemberSettings, TreeSettings
from mlops.forecasting.out_of_fold import OutOfFoldPredictions, fold_bounds, out_of_fold_predictions
from mlops.forecasting.serving import forecast_panel
from mlops.forecasting.tests.small import (
    HELD_OUT,
    LIGHT,
    light_settings,
    number,
    panel_from_close,
    session_of,
    small_bundle,
    small_panel,
)
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import HORIZONS, PRICE_FIELDS, FloatArray, Panel, no_progress


def test_a_bundle_forecasts_four_targets_and_stores_its_end_date() -> None:
    bundle, panel = small_bundle(), small_panel()
    assert set(bundle.heads) == {UP, BEATS_MEDIAN, VOLATILITY_RISES, BIG_MOVE}
    assert set(bundle.heads[UP].members) == {"xgboost", "lstm", "logistic"}
    assert bundle.trained_through == session_of(panel, -HELD_OUT - 1)
    assert np.isnan(bundle.heads[VOLATILITY_RISES].base_rates[0])


def test_relative_features_are_read_by_relative_targets_only() -> None:
    bundle, panel = small_bundle(), small_panel()
    before = learning_set(panel).direction
    swapped = before.values.copy()
    changes = [bundle.direction_names.index(name) for name in CHANGE_NAMES]
    swapped[:, :, changes] = 1 - swapped[:, :, changes]
    after = replace(before, values=swapped)
    up, relative = bundle.heads[UP], bundle.heads[BEATS_MEDIAN]
    np.testing.assert_array_equal(up.probabilities(after), up.probabilities(before))
    assert np.abs(relative.probabilities(after) - relative.probabilities(before)).max() > 0.01
    looked_at = {
        member: [bundle.direction_names[place] for place in subset]
        for member, subset in relative.feature_subsets.items()
    }
    scaled = ["idio_5", "rank_ret_1", "rank_ret_5", "rank_ret_21", "rank_mom", "rank_vol"]
    plain = ["rank_vol", *CHANGE_NAMES]
    assert looked_at == {
        "xgboost": scaled, "logistic": scaled, "xgboost_changes": plain, "logistic_changes": plain,
    }  # fmt: skip


def test_base_rates_are_counted_up_to_the_end_of_training() -> None:
    bundle, panel = small_bundle(), small_panel()
    close = panel.close[: len(panel.sessions) - HELD_OUT]
    rises = (close[5:] > close[:-5])[252:]
    # Features are known from the 253rd session on, and half a case is added to either side; the usual rate is .54.
    counted = (rises.sum() + 0.5) / (rises.size + 1)
    base_rate = bundle.heads[UP].base_rates[1]
    assert min(counted, 0.54) < base_rate < max(counted, 0.54)
    # What the members learned to start from is the counted rate.
    shift = np.log(base_rate / (1 - base_rate)) - np.log(counted / (1 - counted))
    assert bundle.heads[UP].shifts[1] == pytest.approx(shift)


def test_bars_after_the_end_of_training_change_nothing() -> None:
    panel = small_panel()
    end = len(panel.sessions) - HELD_OUT
    altered = {name: getattr(panel, name).copy() for name in PRICE_FIELDS}
    for values in altered.values():
        values[end:] *= 3.0
    changed = Panel(symbols=panel.symbols, sessions=panel.sessions, **altered)
    origin = session_of(panel, end - 1)
    refitted = fit_bundle(changed, through=origin, settings=light_settings(), progress=no_progress)
    expected = forecast_panel(small_bundle(), panel, origin=origin)
    for predicted, again in zip(expected, forecast_panel(refitted, panel, origin=origin), strict=True):
        assert replace(predicted, inputs=None) == replace(again, inputs=None)


def test_a_replayed_forecast_depends_on_nothing_after_its_session() -> None:
    learned = learning_set(small_panel())
    cut = fold_bounds(learned.rows)[0][0] + 1
    later = learned.direction.values.copy()
    later[cut:] = 3.0
    unknown = learned.rows[:, None] + np.array(HORIZONS) >= cut
    changed = replace(
        learned,
        direction=replace(learned.direction, values=later),
        labels={head: np.where(unknown, 1 - labels, labels) for head, labels in learned.labels.items()},
    )
    replays = [out_of_fold_predictions(each, LIGHT, no_progress) for each in (learned, changed)]
    for head in (UP, BEATS_MEDIAN):
        predicted, repeated = (replay.logits[head][replay.rows < cut] for replay in replays)
        np.testing.assert_array_equal(predicted, repeated)
        assert len(predicted) == len(learned.symbols)


def test_too_short_a_panel_is_refused() -> None:
    panel = synthetic_panel(sessions=503, symbols=2)
    with pytest.raises(TooLittleHistory) as refused:
        fit_bundle(panel, through=session_of(panel, -1), settings=light_settings(), progress=no_progress)
    assert (refused.value.have, refused.value.needed) == (503, 504)


def test_a_panel_whose_prices_never_moved_is_refused() -> None:
    close = np.full((560, 2), 100.0)
    close[550:] += np.arange(10)[:, None]
    panel = panel_from_close(close, synthetic_panel(sessions=560, symbols=2))
    with pytest.raises(PricesStandStill, match=r"in 540 sessions before the fit, so there is nothing to learn"):
        fit_bundle(panel, through=session_of(panel, -21), settings=light_settings(), progress=no_progress)


def test_progress_ascends_to_the_end() -> None:
    shown: list[tuple[float, str]] = []
    panel = synthetic_panel(sessions=520, symbols=1)
    bundle = fit_bundle(
        panel,
        through=session_of(panel, -1),
        settings=light_settings(),
        progress=lambda share, stage: shown.append((share, stage)),
    )
    blend_weights = [share for share, _ in shown]
    assert blend_weights == sorted(blend_weights)
    assert (blend_weights[0], blend_weights[-1]) == (0.0, 1.0)
    assert all(stage for _, stage in shown)
    assert BEATS_MEDIAN not in bundle.heads


def test_past_forecasts_are_out_of_sample() -> None:
    learned = learning_set(small_panel())
    bounds = fold_bounds(learned.rows)
    sessions = np.unique(learned.rows)
    assert bounds[0][0] == sessions[len(sessions) // 2]
    assert bounds[-1][1] == sessions[-1] + 1
    first, end = bounds[-1]
    changed = learned.take(np.arange(len(learned.rows)))
    for labels in changed.labels.values():
        labels[changed.rows >= first] = 1 - labels[changed.rows >= first]
    last = np.flatnonzero(out_of_fold_predictions(learned, LIGHT, no_progress).rows >= first)
    predicted = out_of_fold_predictions(learned, LIGHT, no_progress).logits[UP][last]
    np.testing.assert_array_equal(predicted, out_of_fold_predictions(changed, LIGHT, no_progress).logits[UP][last])
    assert len(predicted) == ((learned.rows >= first) & (learned.rows < end)).sum()


def test_a_target_counts_only_before_the_cut() -> None:
    rows = np.array([3, 4, 5, 8])
    unchanged = np.isfinite(known_before(np.ones((4, 4)), rows, 10))
    # Targets are at row + 1, 5, 10, 20 and must be below 10.
    np.testing.assert_array_equal(unchanged[:, 0], [True, True, True, True])
    np.testing.assert_array_equal(unchanged[:, 1], [True, True, False, False])
    assert not unchanged[:, 2:].any()


def test_the_search_takes_settings_from_the_grid() -> None:
    learned = learning_set(small_panel())
    start = TreeSettings(n_estimators=10, min_child_weight=5.0)
    found = search_trees(learned.direction, learned.labels[UP][:, 1], MemberSettings(seed=0, trees=start), gap=5)
    assert found.max_depth in (2, 3)
    assert found.min_child_weight in (5.0, 10.0)
    assert found.n_estimators == 10


def test_random_walks_earn_no_signal_and_give_the_reason() -> None:
    panel = small_panel()
    forecasts = forecast_panel(small_bundle(), panel, origin=session_of(panel, -1))
    calm = [predicted for predicted in forecasts if predicted.horizon_sessions > 1 and predicted.risk_level != "high"]
    assert {(predicted.signal, predicted.signal_reason) for predicted in calm} == {("HOLD", "no proven edge")}


def test_a_planted_edge_becomes_a_buy() -> None:
    panel = _panel_with_momentum()
    bundle = fit_bundle(panel, through=session_of(panel, -31), settings=light_settings(seed=1), progress=no_progress)
    assert bundle.rules.rise[5].earned
    predicted = [
        forecast
        for row in range(-15, 0)
        for forecast in forecast_panel(bundle, panel, origin=session_of(panel, row))
        if forecast.horizon_sessions == 5
    ]
    bought = [forecast for forecast in predicted if forecast.signal == "BUY"]
    assert 1 <= len(bought) < len(predicted) / 2
    assert {forecast.signal_meaning for forecast in bought} == {"rise"}
    assert all(number(forecast.probability_up) > number(forecast.base_rate_up) for forecast in bought)


@pytest.mark.parametrize(("instruments", "lagging"), [(20, {5, 10, 20}), (19, set())])
def test_correct_forecasts_of_lagging_stocks_earn_the_sell_signal(instruments: int, lagging: set[int]) -> None:
    rng = np.random.default_rng(4)
    shape = (600 * instruments, len(HORIZONS))
    low = rng.random(shape) < 0.5
    logits: FloatArray = np.where(low, -0.3, 0.3) + rng.uniform(-0.1, 0.1, shape)
    # P(up) carries no information; the half with the lower P(beats median) lags in 7 cases of 10, the other in 3
    lags = rng.random(shape) < np.where(low, 0.7, 0.3)
    past = OutOfFoldPredictions(
        logits={UP: np.zeros(shape), BEATS_MEDIAN: -logits},
        edge_logits={UP: np.zeros(shape), BEATS_MEDIAN: logits},
        base_rates={head: np.full(shape, 0.5) for head in (UP, BEATS_MEDIAN)},
        labels={UP: (rng.random(shape) < 0.5).astype(float), BEATS_MEDIAN: np.where(lags, 0.0, 1.0)},
        rows=np.repeat(np.arange(600), instruments),
        columns=np.tile(np.arange(instruments), 600),
    )
    weights = {head: np.ones(len(HORIZONS)) for head in (UP, BEATS_MEDIAN)}
    rules = signal_rules(past, weights, instruments=instruments)
    assert (set(rules.rise), set(rules.lag)) == (set(), lagging)
    assert all(rule.earned and 0.1 < rule.lift < 0.25 for rule in rules.lag.values())


def _panel_with_momentum() -> Panel:
    """Ten stocks that go on for weeks in the direction of their last week, each on its own; 900 sessions."""
    rng = np.random.default_rng(8)
    returns = 0.01 * rng.standard_normal((900, 10))
    for row in range(5, 900):
        returns[row] += 0.004 * np.sign(returns[row - 5 : row].sum(axis=0))
    like = synthetic_panel(sessions=900, symbols=10)
    return panel_from_close(50 * np.exp(np.cumsum(returns, axis=0)), like)


def test_quantile_trees_are_not_tried_with_little_history() -> None:
    bundle = small_bundle()
    features = np.zeros((3, len(bundle.volatility_names)))
    np.testing.assert_array_equal(bundle.intervals.blend_weights, np.zeros(len(HORIZONS)))
    np.testing.assert_array_equal(bundle.quantile_width.quantile_width(features), np.ones((3, len(HORIZONS), 3)))
