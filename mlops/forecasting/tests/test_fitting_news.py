"""News in a model: learned where there is enough, absent without a trace where there is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mlops.forecasting.bundle import UP, Bundle
from mlops.forecasting.features.news import NEWS_FEATURE_SET
from mlops.forecasting.features.registry import NEWS_NAMES
from mlops.forecasting.fitting import fit_bundle
from mlops.forecasting.holdout import evaluate_holdout
from mlops.forecasting.models.samples import samples_of_blocks
from mlops.forecasting.serving import InstrumentForecast, forecast_blocks, forecast_panel
from mlops.forecasting.storage import load_bundle, save_bundle
from mlops.forecasting.tests.newsworthy import newsworthy_bundle, newsworthy_panel, scores_of, with_news
from mlops.forecasting.tests.small import HELD_OUT, light_settings, number, session_of, small_bundle, small_panel
from mlops.forecasting.types import FloatArray, Panel, no_progress

LAST = -1


def up_tomorrow(panel: Panel, row: int = LAST, bundle: Bundle | None = None) -> list[float]:
    """P(up) over one session for each stock, from the session in a row."""
    predicted = forecast_panel(bundle or newsworthy_bundle(), panel, origin=session_of(panel, row))
    return [number(forecast.probability_up) for forecast in predicted if forecast.horizon_sessions == 1]


def with_score(score: float, row: int = LAST) -> Panel:
    """The panel whose stocks all have this score on one session; NaN is no article."""
    scores = scores_of(newsworthy_panel())
    scores[row] = score
    return with_news(newsworthy_panel(), scores)


def files_of(bundle: Bundle, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    save_bundle(bundle, folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def numbers(forecasts: list[InstrumentForecast]) -> list[InstrumentForecast]:
    return [replace(predicted, inputs=None) for predicted in forecasts]


def test_a_planted_sentiment_effect_is_learned() -> None:
    good, bad = up_tomorrow(with_score(0.9)), up_tomorrow(with_score(-0.9))
    assert len(good) == 5
    assert all(after_good > after_bad + 0.05 for after_good, after_bad in zip(good, bad, strict=True))


def test_every_member_reads_it() -> None:
    head = newsworthy_bundle().heads[UP]
    seen = {}
    for name, score in (("good", 0.9), ("bad", -0.9)):
        width = len(newsworthy_bundle().direction_names)
        samples = samples_of_blocks(_blocks(with_score(score))[:, :, :width])
        seen[name] = {
            member: head.members[member].logits(samples.seeing(head.feature_subsets[member])) for member in head.members
        }
    assert set(seen["good"]) == {"xgboost", "lstm", "logistic"}
    for member, good in seen["good"].items():
        # One short epoch of a small network moves little; the other two have found the signal.
        better = good[:, 0] != seen["bad"][member][:, 0] if member == "lstm" else good[:, 0] > seen["bad"][member][:, 0]
        assert better.all(), member


def test_informative_news_improve_the_model() -> None:
    panel = newsworthy_panel()
    first, last = session_of(panel, -HELD_OUT), session_of(panel, LAST)
    blind = fit_bundle(
        panel,
        through=session_of(panel, -HELD_OUT - 1),
        settings=replace(light_settings(), news=False),
        progress=no_progress,
    )
    assert (blind.uses_news, newsworthy_bundle().uses_news) == (False, True)
    losses = [
        evaluate_holdout(bundle, panel, first=first, last=last).metrics["horizons"]["1"]["log_loss"]
        for bundle in (newsworthy_bundle(), blind)
    ]
    assert losses[0] < losses[1] - 0.01


def test_no_article_is_not_a_neutral_article() -> None:
    neutral, silent = up_tomorrow(with_score(0.0)), up_tomorrow(with_score(np.nan))
    # In this panel silence is followed by falls, and a neutral article by small rises.
    assert all(
        after_neutral > after_silence + 0.01 for after_neutral, after_silence in zip(neutral, silent, strict=True)
    )


def test_a_bundle_reports_that_it_reads_news() -> None:
    bundle = newsworthy_bundle()
    assert (bundle.feature_set, small_bundle().feature_set) == (NEWS_FEATURE_SET, "hc3")
    assert bundle.direction_names[-4:] == NEWS_NAMES
    assert bundle.inputs.names[30:34] == NEWS_NAMES
    # Scores from -1 to 1, no article or two: the ranges of training, which missing scores do not widen.
    np.testing.assert_allclose(bundle.inputs.lowest[[30, 32, 33]], [-1, 0, 0], atol=0.01)
    np.testing.assert_allclose(bundle.inputs.highest[[30, 32, 33]], [1, np.log(3), 1], atol=0.01)


def test_news_after_the_origin_change_no_forecast() -> None:
    panel, row = newsworthy_panel(), 700
    origin = session_of(panel, row)
    later = scores_of(panel)
    later[row + 1 :] = -1.0
    before = forecast_panel(newsworthy_bundle(), panel, origin=origin)
    after = forecast_panel(newsworthy_bundle(), with_news(panel, later), origin=origin)
    assert numbers(before) == numbers(after)
    later[row] = -1.0
    assert numbers(before) != numbers(forecast_panel(newsworthy_bundle(), with_news(panel, later), origin=origin))


def test_news_after_the_end_of_training_change_no_byte(tmp_path: Path) -> None:
    panel = newsworthy_panel()
    later = scores_of(panel)
    later[-HELD_OUT:] = 0.7
    through = session_of(panel, -HELD_OUT - 1)
    again = fit_bundle(with_news(panel, later), through=through, settings=light_settings(), progress=no_progress)
    assert files_of(again, tmp_path / "again") == files_of(newsworthy_bundle(), tmp_path / "first")


def test_little_news_leaves_every_byte_as_it_was(tmp_path: Path) -> None:
    panel = small_panel()
    score = np.full(panel.close.shape, np.nan)
    score[:240] = 0.3
    bundle = fit_bundle(
        with_news(panel, score),
        through=session_of(panel, -HELD_OUT - 1),
        settings=light_settings(),
        progress=no_progress,
    )
    assert not bundle.uses_news
    assert files_of(bundle, tmp_path / "little") == files_of(small_bundle(), tmp_path / "none")


def test_a_bundle_without_news_reads_none() -> None:
    panel = small_panel()
    origin = session_of(panel, LAST)
    moody = with_news(panel, np.full(panel.close.shape, 0.9))
    assert numbers(forecast_panel(small_bundle(), panel, origin=origin)) == numbers(
        forecast_panel(small_bundle(), moody, origin=origin)
    )


def test_missing_news_is_no_reason_to_abstain_and_an_odd_number_of_articles_is() -> None:
    panel = newsworthy_panel()
    off = replace(panel, news_score=None, news_count=None)
    predicted = forecast_panel(newsworthy_bundle(), off, origin=session_of(panel, LAST))
    assert {forecast.status for forecast in predicted} == {"issued"}
    flooded = with_score(0.5)
    assert flooded.news_count is not None
    count = flooded.news_count.copy()
    count[LAST, 2] = 400.0
    predicted = forecast_panel(newsworthy_bundle(), replace(flooded, news_count=count), origin=session_of(panel, LAST))
    assert {forecast.symbol for forecast in predicted if forecast.status == "abstained"} == {"S002"}
    assert "the number of articles that day is" in predicted[8].reasons[0]


def test_a_stored_bundle_with_stored_inputs_forecasts_the_same(tmp_path: Path) -> None:
    panel = newsworthy_panel()
    save_bundle(newsworthy_bundle(), tmp_path)
    loaded = load_bundle(tmp_path)
    first = forecast_panel(newsworthy_bundle(), panel, origin=session_of(panel, LAST))
    again = forecast_blocks(loaded, _blocks(panel), panel.symbols)
    assert [predicted.probability_up for predicted in again] == [predicted.probability_up for predicted in first]
    assert any(driver.name in NEWS_NAMES and driver.words for predicted in first for driver in predicted.drivers)


def _blocks(panel: Panel) -> FloatArray:
    """The stored inputs of the newest forecasts, one block a stock."""
    predicted = forecast_panel(newsworthy_bundle(), panel, origin=session_of(panel, LAST))
    blocks = [forecast.inputs for forecast in predicted if forecast.horizon_sessions == 1]
    return np.stack([block for block in blocks if block is not None])
