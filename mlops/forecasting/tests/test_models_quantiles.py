"""The quantile trees: they find where it is wild, say nothing of dates they have seen, and come back as they were."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mlops.forecasting.bundle import Bundle
from mlops.forecasting.errors import BundleUnreadable
from mlops.forecasting.fitting import fit_bundle
from mlops.forecasting.models.settings import MemberSettings, QuantileSettings
from mlops.forecasting.models.xgboost_quantiles import QuantileTrees
from mlops.forecasting.serving import forecast_panel
from mlops.forecasting.storage import load_bundle, save_bundle
from mlops.forecasting.tests.small import light_settings, number, session_of, small_bundle, small_panel
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import HORIZONS, FloatArray, no_progress

H = len(HORIZONS)
SESSIONS, STOCKS = 600, 5
ROWS = np.repeat(np.arange(SESSIONS), STOCKS)
SETTINGS = MemberSettings(seed=5, quantiles=QuantileSettings(n_estimators=60, min_child_weight=20.0))


@cache
def world() -> tuple[FloatArray, FloatArray]:
    """Features and scores: where the first feature is above 0 scores are twice as large; the second is noise."""
    rng = np.random.default_rng(2)
    features = rng.standard_normal((len(ROWS), 2))
    scores = np.abs(rng.standard_normal((len(ROWS), H))) * np.where(features[:, :1] > 0, 2.0, 1.0)
    return features, scores


@cache
def trees() -> QuantileTrees:
    return QuantileTrees.fit(*world(), ROWS, SETTINGS, since=0)[0]


def test_intervals_are_wider_in_volatile_periods() -> None:
    quantile_width = trees().quantile_width(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    assert quantile_width.shape == (2, H, 3)
    # Half-normal quantiles at 80 and 95 %: 1.28 and 1.96 sigmas, and twice that.
    np.testing.assert_allclose(quantile_width[0, :, :2], np.tile([1.28, 1.96], (H, 1)), rtol=0.2)
    np.testing.assert_allclose(quantile_width[1, :, :2], np.tile([2.56, 3.92], (H, 1)), rtol=0.2)
    assert (np.diff(quantile_width, axis=2) > 0).all()
    assert (quantile_width > 0).all()


def test_a_sample_is_judged_by_trees_that_have_not_seen_its_dates() -> None:
    features, scores = world()
    _, unseen = QuantileTrees.fit(features, scores, ROWS, SETTINGS, since=0)
    # The second of three stretches: the sessions 200..399. With 20 sessions on either side nothing in it was learned.
    altered = scores.copy()
    altered[(ROWS >= 180) & (ROWS < 420)] *= 10
    _, again = QuantileTrees.fit(features, altered, ROWS, SETTINGS, since=0)
    inside = (ROWS >= 200) & (ROWS < 400)
    np.testing.assert_array_equal(unseen[inside, -1], again[inside, -1])
    assert (unseen[~inside, -1] != again[~inside, -1]).any()
    assert np.isfinite(unseen).all()


def test_only_the_calibration_window_is_judged() -> None:
    _, unseen = QuantileTrees.fit(*world(), ROWS, SETTINGS, since=450)
    assert np.isnan(unseen[ROWS < 450]).all()
    assert np.isfinite(unseen[ROWS >= 450]).all()


def test_a_horizon_that_is_not_used_has_no_trees(tmp_path: Path) -> None:
    used = np.array([True, False, True, False])
    some = trees().only(used)
    some.save(tmp_path)
    assert {file.name.split(".")[1] for file in tmp_path.iterdir()} == {"0", "2"}
    features = world()[0][:50]
    quantile_width = QuantileTrees.load(tmp_path, used).quantile_width(features)
    np.testing.assert_array_equal(quantile_width[:, used], trees().quantile_width(features)[:, used])
    np.testing.assert_array_equal(quantile_width[:, ~used], 1.0)


def test_one_row_is_equal_to_its_batch() -> None:
    features = world()[0][:30]
    one_by_one = np.concatenate([trees().quantile_width(features[row : row + 1]) for row in range(30)])
    np.testing.assert_array_equal(one_by_one, trees().quantile_width(features))


def bundle_with_trees() -> Bundle:
    """The small bundle, its intervals half by trees at the horizons 5 and 20."""
    bundle = small_bundle()
    width = len(bundle.volatility_names)
    features = np.random.default_rng(1).standard_normal((len(ROWS), width))
    blend_weights = np.array([0.0, 0.5, 0.0, 0.5])
    fitted = QuantileTrees.fit(features, world()[1], ROWS, SETTINGS, since=0)[0].only(blend_weights > 0)
    return replace(bundle, quantile_width=fitted, intervals=replace(bundle.intervals, blend_weights=blend_weights))


def test_a_stored_bundle_keeps_its_trees(tmp_path: Path) -> None:
    bundle, panel = bundle_with_trees(), small_panel()
    save_bundle(bundle, tmp_path)
    origin = session_of(panel, -1)
    predicted = forecast_panel(bundle, panel, origin=origin)
    plain = forecast_panel(small_bundle(), panel, origin=origin)
    for again, first, without in zip(
        forecast_panel(load_bundle(tmp_path), panel, origin=origin), predicted, plain, strict=True
    ):
        assert again.intervals == first.intervals
        assert (first.intervals != without.intervals) == (first.horizon_sessions in (5, 20))
        bounds = [first.intervals[level] for level in (99, 95, 80)]
        ordered = [*(low for low, _ in bounds), number(first.predicted_price), *(high for _, high in reversed(bounds))]
        assert ordered == sorted(set(ordered))
    next(tmp_path.glob("quantile_width.3.1*.ubj")).unlink()
    with pytest.raises(BundleUnreadable, match="is missing"):
        load_bundle(tmp_path)


@pytest.mark.slow
def test_a_long_history_tries_them_and_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    panel = synthetic_panel(seed=6, sessions=1560, symbols=2)
    written = []
    for name in ("first", "again"):
        bundle = fit_bundle(panel, through=session_of(panel, -1), settings=light_settings(), progress=no_progress)
        # Trees that were not tried have a quantile_width of 1, and their calibration_factors is the quantile itself.
        assert (bundle.intervals.calibration_factors != bundle.intervals.quantiles).all()
        assert set(bundle.intervals.blend_weights) <= {0.0, 0.5}
        folder = tmp_path / name
        folder.mkdir()
        save_bundle(bundle, folder)
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert written[0] == written[1]
