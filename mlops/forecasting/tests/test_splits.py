"""Purged splits: no training target reaches a test origin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.splits import purged_splits
from mlops.forecasting.tests.synthetic import weekdays


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
    for (train, test), (taught, evaluated) in zip(splits, [(3, (4, 8)), (7, (8, 12))], strict=True):
        np.testing.assert_array_equal(np.unique(rows[train]), sessions[:taught])
        np.testing.assert_array_equal(np.unique(rows[test]), sessions[slice(*evaluated)])
        assert (len(train), len(test)) == (2 * taught, 8)


def test_too_few_sessions_are_refused_with_both_counts() -> None:
    with pytest.raises(TooLittleHistory) as refused:
        purged_splits(np.arange(15), horizon=3, folds=3)
    assert (refused.value.have, refused.value.needed) == (15, 16)
    assert len(purged_splits(np.arange(16), horizon=3, folds=3)) == 3
