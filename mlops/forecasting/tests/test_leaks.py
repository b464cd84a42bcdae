"""The leak check finds every planted leak, and none in the product."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.leaks import CheckedFunctions, CheckResult, FeatureFunction, NewsReader, run_all_checks
from mlops.forecasting.leaks.feature_checks import check_corporate_actions, check_future, check_warm_up
from mlops.forecasting.leaks.fit_checks import Fitter, Splitter, check_fits, check_replay, check_splits
from mlops.forecasting.leaks.label_checks import check_labels
from mlops.forecasting.leaks.news_checks import check_news
from mlops.forecasting.leaks.shipped import shipped_features, shipped_split
from mlops.forecasting.tests import planted
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import Panel

FeatureCheck = Callable[[FeatureFunction, Panel], CheckResult]
FEATURE_CHECKS: dict[str, FeatureCheck] = {
    "future": check_future,
    "corporate actions": check_corporate_actions,
    "warm-up": check_warm_up,
    "labels": check_labels,
}
MAKERS: dict[str, tuple[FeatureFunction, str]] = {
    "centred rolling mean": (planted.centred_mean, "future"),
    "full-sample z-score": (planted.full_sample_z_score, "future"),
    "full-sample min-max": (planted.full_sample_min_max, "future"),
    "label in features": (planted.label_in_features, "future"),
    "label in features, told by labels": (planted.label_in_features, "labels"),
    "tomorrow's open": (planted.tomorrows_open, "future"),
    "back-filled gaps": (planted.back_filled_gaps, "future"),
    "interpolated gaps": (planted.interpolated_gaps, "future"),
    "target encoding on all rows": (planted.target_encoding, "future"),
    "quantiles of the whole sample": (planted.whole_sample_quantiles, "future"),
    "future volume rank": (planted.future_volume_rank, "future"),
    "average from the end": (planted.reversed_average, "future"),
    "adjusted close with later dividends": (planted.adjusted_level, "corporate actions"),
    "price level after later splits": (planted.split_adjusted_level, "corporate actions"),
    "anchored at the beginning of the history": (planted.share_of_history, "warm-up"),
}
CLOSES = [
    (day, datetime(day.year, day.month, day.day, 21, tzinfo=UTC))
    for day in (date(2023, 1, 3), date(2023, 1, 6), date(2023, 7, 3))
]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return synthetic_panel(sessions=920, symbols=4, listed_from={3: 60}, gaps=[(400, 1), (401, 1)])


@pytest.mark.parametrize("leak", MAKERS)
def test_a_planted_feature_is_found_and_its_cell_named(panel: Panel, leak: str) -> None:
    maker, check = MAKERS[leak]
    verdict = FEATURE_CHECKS[check](maker, panel)
    assert not verdict.passed
    assert verdict.leak is not None
    assert verdict.leak.feature == maker(panel).names[0]
    assert verdict.leak.session in panel.sessions.tolist()
    assert verdict.leak.symbol in (("",) if check == "labels" else panel.symbols)


@pytest.mark.parametrize("check", FEATURE_CHECKS)
@pytest.mark.parametrize("maker", [planted.honest, shipped_features])
def test_an_honest_feature_passes(panel: Panel, check: str, maker: FeatureFunction) -> None:
    verdict = FEATURE_CHECKS[check](maker, panel)
    assert verdict.leak is None
    assert verdict.passed


def test_a_looked_up_label_is_found_by_shifting_labels(panel: Panel) -> None:
    maker = planted.looked_up(panel)
    assert check_future(maker, panel).passed
    leak = check_labels(maker, panel).leak
    assert leak is not None
    assert "over 5 sessions, beginning 0 sessions later, with an area under the curve of 1.00" in leak.reason


def test_the_first_leaking_cell_is_the_one_that_is_named(panel: Panel) -> None:
    """Cuts lie at 55, 75 and 95 % of 919: the first is row 505, whose open of tomorrow is another."""
    leak = check_future(planted.tomorrows_open, panel).leak
    assert leak is not None
    assert (leak.symbol, leak.session) == ("S000", panel.sessions[505].item())


@pytest.mark.parametrize(
    ("fitter", "leaking"),
    [
        (planted.honest_fit, None),
        (planted.scaler_on_everything, "centre"),
        (planted.labels_beyond_training, "weight"),
        (planted.peeking_fit, "week ahead"),
    ],
)
def test_a_fit_that_reads_later_data_is_found(panel: Panel, fitter: Fitter, leaking: str | None) -> None:
    verdicts = check_fits(fitter, panel)
    assert [verdict.check for verdict in verdicts] == ["fits", "forecasts"]
    assert next((verdict.leak.feature for verdict in verdicts if verdict.leak), None) == leaking


@pytest.mark.parametrize(
    ("replay", "passes"),
    [(planted.purged_replay, True), (planted.unpurged_replay, False), (planted.shuffled_replay, False)],
)
def test_a_replay_that_learned_from_later_is_found(panel: Panel, replay: FeatureFunction, passes: bool) -> None:
    assert check_replay(replay, panel).passed is passes


@pytest.mark.parametrize(
    ("splitter", "passes"),
    [(shipped_split, True), (planted.unpurged_split, False), (planted.shuffled_split, False)],
)
def test_a_split_without_a_purge_is_found(panel: Panel, splitter: Splitter, passes: bool) -> None:
    assert check_splits(splitter, panel).passed is passes


@pytest.mark.parametrize(
    ("reader", "passes"),
    [
        (planted.weekday_news, True),
        (planted.news_by_date, False),
        (planted.news_one_day_early, False),
        (planted.news_by_local_clock, False),
    ],
)
def test_news_that_counts_before_it_was_published_is_found(reader: NewsReader, passes: bool) -> None:
    assert check_news(reader, CLOSES).passed is passes


def test_a_feature_reader_without_features_fails() -> None:
    assert not check_news(lambda articles, session: (0.0,), CLOSES).passed


@pytest.mark.slow
def test_no_feature_of_the_product_leaks(panel: Panel) -> None:
    begun: list[str] = []
    verdicts = list(
        run_all_checks(panel, CheckedFunctions(news=planted.weekday_news), closes=CLOSES, begun=begun.append)
    )
    assert [verdict.check for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) == 9
    assert begun == ["features", "labels", "fits", "the replayed past", "news"]


def test_a_symbol_full_of_holes_is_left_out_and_a_short_history_refused(panel: Panel) -> None:
    """With bars on every third session only, no window of two years is warmed up."""
    sparse = synthetic_panel(sessions=900, symbols=1, gaps=[(row, 0) for row in range(900) if row % 3])
    suspects = CheckedFunctions(news=planted.weekday_news)
    for unfit in (sparse, synthetic_panel(sessions=899, symbols=2)):
        with pytest.raises(TooLittleHistory, match="900 are needed"):
            next(run_all_checks(unfit, suspects, closes=CLOSES, begun=lambda what: None))
