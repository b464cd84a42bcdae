"""Figures as JSON."""

import numpy as np

from mlops.forecasting.figures import json_ready, mean_of, share_of


def test_a_figure_that_does_not_exist_is_null() -> None:
    figures = {5: {"auc": float("nan"), "coverage": (0.8, -float("inf"))}, "n": 3, "volatility_rises": None}
    assert json_ready(figures) == {"5": {"auc": None, "coverage": [0.8, None]}, "n": 3, "volatility_rises": None}


def test_the_mean_of_an_empty_sample_is_undefined() -> None:
    assert mean_of(np.array([1.0, 2.0])) == 1.5
    assert share_of(np.array([True, False, False, False])) == 0.25
    assert np.isnan(mean_of(np.empty(0)))
