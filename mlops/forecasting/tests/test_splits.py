"""Purged splits: no training target reaches a test origin; windows of feature rows."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.splits import purged_splits, training_end
from mlops.forecasting.tests.synthetic import weekdays
from mlops.forecasting.windows import complete_windows, windows_of


@settings(max_examples=60, deadline=None)
@given(
    horizon=st.sampled_from([1, 5, 10, 20]),
    folds=st.integers(2, 5),
    extra=st.integers(0, 80),
    dropped=st.floats(0, 0.4),
    seed=st.integers(0, 10_000),
)
def test_every_training_target_is_known_before_the_first_test_origin(
    horizon: int, folds: int, extra: int, dropped: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sessions = (folds + 1) * (horizon + 1) * 2 + extra
    rows = np.repeat(np.arange(sessions), 3)
    rows = rng.permutation(rows[rng.random(len(rows)) >= dropped])
    if len(np.unique(rows)) < (folds + 1) * (horizon + 1):
        return
    splits = purged_splits(rows, horizon=horizon, folds=folds)
    assert len(splits) == folds
    for train, test in splits:
        assert len(train)
        assert len(test)
        assert rows[train].max() + horizon < rows[test].min()


def test_rows_of_one_session_stay_together_and_tests_follow_each_other() -> None:
    sessions = weekdays(12)
    rows = np.tile(sessions, 2)
    splits = purged_splits(rows, horizon=1, folds=2)
    # 12 sessions, two tests of 4: sessions 4-7 after 0-2, and 8-11 after 0-6
    for (train, test), (taught, judged) in zip(splits, [(3, (4, 8)), (7, (8, 12))], strict=True):
        np.testing.assert_array_equal(np.unique(rows[train]), sessions[:taught])
        np.testing.assert_array_equal(np.unique(rows[test]), sessions[slice(*judged)])
        assert (len(train), len(test)) == (2 * taught, 8)


def test_too_few_sessions_are_refused_with_both_counts() -> None:
    with pytest.raises(TooLittleHistory) as refused:
        purged_splits(np.arange(15), horizon=3, folds=3)
    assert (refused.value.have, refused.value.needed) == (15, 16)
    assert len(purged_splits(np.arange(16), horizon=3, folds=3)) == 3


def test_training_ends_a_horizon_before_the_hold_out() -> None:
    sessions = weekdays(10)  # 5 to 16 January 2015; the hold-out begins on row 5, the 12th
    # with two sessions ahead, row 2's target is row 4: the last one before the hold-out
    assert training_end(sessions, first_held_out=date(2015, 1, 12), horizon=2) == 3
    assert training_end(sessions, first_held_out=date(2015, 1, 11), horizon=2) == 3
    assert training_end(sessions, first_held_out=date(2015, 1, 5), horizon=2) == 0


def test_windows_show_the_last_rows_without_copying_them() -> None:
    features = np.arange(5 * 2 * 3, dtype=np.float64).reshape(5, 2, 3)
    windows = windows_of(features, steps=3)
    assert windows.shape == (3, 2, 3, 3)
    assert np.shares_memory(windows, features)
    assert not windows.flags.writeable
    np.testing.assert_array_equal(windows[2, 1], features[2:5, 1])


def test_a_window_with_a_gap_is_not_complete() -> None:
    features = np.zeros((6, 2, 3))
    features[2, 1, 0] = np.nan
    np.testing.assert_array_equal(complete_windows(features, steps=3)[:, 1], [False, False, False, True])
    assert complete_windows(features, steps=3)[:, 0].all()


def test_fewer_rows_than_steps_make_no_window() -> None:
    features = np.zeros((4, 2, 3))
    assert windows_of(features, steps=5).shape == (0, 2, 5, 3)
    assert complete_windows(features, steps=5).shape == (0, 2)
