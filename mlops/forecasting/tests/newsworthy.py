"""Panels with made-up news: scores on some of the stock-days, which the next sessions' returns may follow."""

from dataclasses import replace
from functools import cache

import numpy as np

from mlops.forecasting.bundle import Bundle
from mlops.forecasting.fitting import fit_bundle
from mlops.forecasting.tests.small import HELD_OUT, light_settings, panel_from_close, session_of
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import FloatArray, Panel, no_progress


@cache
def newsworthy_panel() -> Panel:
    """Five stocks over 800 sessions, half of their days with a score.

    The return after a score goes its way, and that after a day without an article goes down.
    """
    rng = np.random.default_rng(12)
    scored = rng.random((800, 5)) < 0.5
    score = np.where(scored, rng.uniform(-1, 1, scored.shape), np.nan)
    returns = 0.01 * rng.standard_normal(scored.shape)
    returns[1:] += np.where(scored, 0.004 + 0.015 * np.nan_to_num(score), -0.004)[:-1]
    like = synthetic_panel(sessions=800, symbols=5)
    return with_news(panel_from_close(50 * np.exp(np.cumsum(returns, axis=0)), like), score)


def with_news(panel: Panel, score: FloatArray) -> Panel:
    """The panel with these scores, two articles to each."""
    return replace(panel, news_score=score, news_count=np.where(np.isfinite(score), 2.0, 0.0))


def scores_of(panel: Panel) -> FloatArray:
    """A copy of the scores of a panel that has some."""
    assert panel.news_score is not None
    return panel.news_score.copy()


@cache
def newsworthy_bundle() -> Bundle:
    """A bundle that has not seen the last 120 sessions of that panel."""
    panel = newsworthy_panel()
    return fit_bundle(panel, through=session_of(panel, -HELD_OUT - 1), settings=light_settings(), progress=no_progress)
