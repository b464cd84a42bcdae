"""All checks on one panel, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # the package ships no types

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.leaks.check_results import CheckResult
from mlops.forecasting.leaks.feature_checks import check_corporate_actions, check_future, check_warm_up
from mlops.forecasting.leaks.feature_functions import FeatureFunction
from mlops.forecasting.leaks.fit_checks import Fitter, Splitter, check_fits, check_replay, check_splits
from mlops.forecasting.leaks.label_checks import check_labels
from mlops.forecasting.leaks.news_checks import NewsReader, check_news
from mlops.forecasting.leaks.shipped import shipped_features, shipped_fit, shipped_replay, shipped_split
from mlops.forecasting.types import PRICE_FIELDS, Panel

FEWEST_SESSIONS = 900
FITTED_SESSIONS = 1_260
FITTED_SYMBOLS = 30
LEAST_DENSITY = 0.9


@dataclass(frozen=True, slots=True)
class CheckedFunctions:
    """Functions under test; by default those of the product."""

    news: NewsReader
    features: FeatureFunction = shipped_features
    fit: Fitter = shipped_fit
    replay: FeatureFunction = shipped_replay
    split: Splitter = shipped_split


def run_all_checks(
    panel: Panel, suspects: CheckedFunctions, *, closes: Sequence[tuple[date, datetime]], begun: Callable[[str], None]
) -> Iterator[CheckResult]:
    """Run every check and return the results; `begun` receives the name of the next check.

    Fits see the newest five years of at most 30 symbols. A symbol with bars on fewer than nine in ten sessions between
    its first and its last is left out: no history of it is long enough to be warmed up for certain. Raises
    TooLittleHistory below 900 sessions, and when no symbol is left.
    """
    dense = _dense(panel)
    if len(dense.sessions) < FEWEST_SESSIONS or not dense.symbols:
        raise TooLittleHistory(len(dense.sessions) if dense.symbols else 0, FEWEST_SESSIONS)
    recent = _columns(_newest(dense, FITTED_SESSIONS), slice(FITTED_SYMBOLS))
    with threadpool_limits(1):
        begun("features")
        yield check_future(suspects.features, dense)
        yield check_corporate_actions(suspects.features, dense)
        yield check_warm_up(suspects.features, dense)
        begun("labels")
        yield check_labels(suspects.features, dense)
        begun("fits")
        yield from check_fits(suspects.fit, recent)
        begun("the replayed past")
        yield check_replay(suspects.replay, recent)
        yield check_splits(suspects.split, recent)
        begun("news")
        yield check_news(suspects.news, closes)


def _dense(panel: Panel) -> Panel:
    present = np.isfinite(panel.close) & (panel.close > 0)
    rows = len(present)
    first, last = present.argmax(axis=0), rows - 1 - present[::-1].argmax(axis=0)
    unchanged = present.any(axis=0) & (present.sum(axis=0) >= LEAST_DENSITY * (last - first + 1))
    return _columns(panel, np.flatnonzero(unchanged))


def _columns(panel: Panel, chosen: slice | NDArray[np.intp]) -> Panel:
    """Some symbols of the panel, copied: how they lie in memory decides the order of sums, and so their last bit."""
    symbols = tuple(np.array(panel.symbols, dtype=object)[chosen].tolist())
    unchanged = {name: np.ascontiguousarray(getattr(panel, name)[:, chosen]) for name in PRICE_FIELDS}
    return Panel(symbols=symbols, sessions=panel.sessions, **unchanged)


def _newest(panel: Panel, sessions: int) -> Panel:
    unchanged = {name: getattr(panel, name)[-sessions:] for name in PRICE_FIELDS}
    return Panel(symbols=panel.symbols, sessions=panel.sessions[-sessions:], **unchanged)
