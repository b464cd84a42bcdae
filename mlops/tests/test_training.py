"""Tests of training: two fits, hold-out metrics, version names, and no partial results."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from marketdata.models import Instrument, SentimentDay
from mlops import artifacts
from mlops.errors import InsufficientHistory
from mlops.forecasting.toolchain import toolchain
from mlops.forecasting.types import Panel, no_progress
from mlops.models import AliasChange, Evaluation, ModelVersion, TrainingRun
from mlops.selectors import champion
from mlops.services.serving import bundle_of
from mlops.services.training import (
    Training,
    TrainingPlan,
    holdout_of,
    run_training,
    train,
)
from mlops.tests.factories import NOW, small_fit, stored_bars, training_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_memory", "champion_key")]

PLAN = TrainingPlan(holdout_sessions=252, fit=small_fit(), note="a test")


@pytest.fixture
def stocks(market: Panel) -> list[Instrument]:
    return stored_bars(market)


@pytest.fixture
def version(stocks: list[Instrument], artifact_root: Path) -> ModelVersion:
    """The first trained version."""
    return train(PLAN, artifacts=artifact_root, now=NOW, progress=no_progress)


def done(run: TrainingRun) -> Training | None:
    """Do the run with small members."""
    return run_training(run_pk=run.pk, settings=settings.HINDCAST_MODELS, clock=lambda: NOW, fit_settings=small_fit)


def test_the_hold_out_is_the_last_sessions(market: Panel) -> None:
    dates = holdout_of(market, 252)
    # 800 sessions, of which 252 + 20 at the end judge: rows 0..527 teach, and 528 + 251 + 20 is the last row, 799
    assert dates.trained_through == market.sessions[527].astype(object)
    assert dates.first == market.sessions[528].astype(object)
    assert dates.last == market.sessions[799].astype(object)


def test_a_hold_out_needs_something_before_it(market: Panel) -> None:
    with pytest.raises(InsufficientHistory, match="Not enough price history to train: 800 sessions, 801 needed"):
        holdout_of(market, 277)


def test_the_first_version_serves_and_a_second_training_makes_the_same_files(
    stocks: list[Instrument], market: Panel, artifact_root: Path
) -> None:
    output: list[float] = []
    first = train(PLAN, artifacts=artifact_root, now=NOW, progress=lambda share, stage: output.append(share))
    assert (first.version, first.stage, first.seed, first.note) == ("v1", "champion", 7, "a test")
    assert AliasChange.objects.get().reason == "first trained version"
    assert first.holdout_trained_through < first.holdout_first
    assert first.trained_through == first.holdout_last == market.sessions[-1].astype(object)
    assert first.toolchain == toolchain()
    assert bundle_of(first, "holdout").trained_through == first.holdout_trained_through
    assert bundle_of(first, "serving").trained_through == first.trained_through

    assert output[0] == 0.0
    assert output[-1] == 1.0
    assert len(output) > 5
    assert output == sorted(output)

    horizons = ModelVersion.objects.get(pk=first.pk).metrics["horizons"]
    assert sorted(horizons, key=int) == ["1", "5", "10", "20"]
    for figures in horizons.values():
        assert {"accuracy", "base_rate", "n", "brier", "auc", "coverage"} <= figures.keys()
        assert figures["n"] > 0

    second = train(PLAN, artifacts=artifact_root, now=NOW + timedelta(hours=1), progress=no_progress)
    assert (second.version, second.stage) == ("v2", "candidate")
    assert second.artifact_sha256 == first.artifact_sha256
    assert champion() == first
    assert sorted(path.name for path in artifact_root.iterdir()) == ["v1", "v2"]


def test_the_hold_out_fit_does_not_read_the_hold_out(version: ModelVersion, market: Panel, artifact_root: Path) -> None:
    Instrument.objects.all().delete()
    changed = {name: getattr(market, name).copy() for name in ("open", "high", "low", "close", "adjusted_close")}
    for values in changed.values():
        values[528:] *= np.linspace(1.0, 1.5, 272)[:, None]
    stored_bars(Panel(symbols=market.symbols, sessions=market.sessions, volume=market.volume, **changed))
    second = train(PLAN, artifacts=artifact_root, now=NOW, progress=no_progress)
    first_files, second_files = (sorted((artifact_root / name / "holdout").iterdir()) for name in ("v1", "v2"))
    assert [path.name for path in first_files] == [path.name for path in second_files]
    assert [path.read_bytes() for path in first_files] == [path.read_bytes() for path in second_files]
    assert second.artifact_sha256 != version.artifact_sha256


def test_training_through_a_date_reads_nothing_later(
    stocks: list[Instrument], market: Panel, artifact_root: Path
) -> None:
    through = market.sessions[-11].astype(object)
    plan = TrainingPlan(holdout_sessions=252, fit=small_fit(), through=through)
    version = train(plan, artifacts=artifact_root, now=NOW, progress=no_progress)
    assert version.trained_through == version.holdout_last == through


def test_too_little_history_is_reported_and_stores_nothing(artifact_root: Path, market: Panel) -> None:
    stored_bars(market.through(market.sessions[400].astype(object)))
    with pytest.raises(InsufficientHistory):
        train(TrainingPlan(60, small_fit()), artifacts=artifact_root, now=NOW, progress=no_progress)
    assert not ModelVersion.objects.exists()
    assert not artifact_root.exists()


def test_a_row_that_cannot_be_stored_takes_its_files_with_it(stocks: list[Instrument], artifact_root: Path) -> None:
    too_long = TrainingPlan(holdout_sessions=252, fit=small_fit(seed=2**63), note="the database has no such number")
    with pytest.raises(Exception, match="out of range"):
        train(too_long, artifacts=artifact_root, now=NOW, progress=no_progress)
    assert list(artifact_root.iterdir()) == []


def test_a_failed_run_stores_its_reason_and_no_files(artifact_root: Path) -> None:
    run = training_run()
    with pytest.raises(InsufficientHistory):
        done(run)
    run.refresh_from_db()
    assert (run.status, run.finished_at, run.version) == ("failed", NOW, None)
    assert run.error == "Not enough price history to train: 0 sessions, 776 needed."
    assert not ModelVersion.objects.exists()


def test_a_run_claimed_by_another_worker_is_skipped(stocks: list[Instrument], artifact_root: Path) -> None:
    run = training_run(status=TrainingRun.Status.RUNNING)
    assert done(run) is None
    assert not ModelVersion.objects.exists()


def test_a_finished_run_names_its_version_and_a_copy_of_the_champion_is_not_promoted(
    stocks: list[Instrument], artifact_root: Path
) -> None:
    runs = [training_run(reason="first"), training_run(reason="second")]
    trained = [done(run) for run in runs]
    for run, training in zip(runs, trained, strict=True):
        assert training is not None
        run.refresh_from_db()
        assert (run.status, run.progress, run.version) == ("done", 1.0, training.version)
    assert champion().version == "v1"
    evaluation = Evaluation.objects.get()
    assert (evaluation.challenger.version, evaluation.decision) == ("v2", "keep")
    assert evaluation.reason.startswith("No change: v2 is identical to v1")


def test_a_run_is_not_compared_with_a_damaged_champion(
    version: ModelVersion, artifact_root: Path, market: Panel
) -> None:
    stored_bars(
        Panel(
            symbols=market.symbols,
            sessions=market.sessions[-1:] + np.timedelta64(3, "D"),
            **{
                name: getattr(market, name)[-1:]
                for name in ("open", "high", "low", "close", "adjusted_close", "volume")
            },
        )
    )
    artifacts.discard(root=artifact_root, name="v1")
    run = training_run()
    training = done(run)
    run.refresh_from_db()
    assert training is not None
    assert (run.status, training.version.version, champion()) == ("done", "v2", version)
    assert run.error == (
        "v2 was trained but not compared with the champion. "
        "The files of model v1 cannot be used: manifest.json is missing."
    )


def test_a_version_trained_with_news_is_marked_and_both_fits_read_news(
    stocks: list[Instrument], market: Panel, artifact_root: Path
) -> None:
    sessions = market.sessions.astype(object)
    stored_sentiment(stocks, sessions[:528])
    version = train(PLAN, artifacts=artifact_root, now=NOW, progress=no_progress)
    assert version.feature_set == "hc3+news"
    assert bundle_of(version, "holdout").uses_news
    assert bundle_of(version, "serving").uses_news


def test_news_without_a_hold_out_are_not_served(stocks: list[Instrument], market: Panel, artifact_root: Path) -> None:
    # 300 of the 528 sessions before the hold-out have none, so its fit has 228; the fit on everything would have 500
    stored_sentiment(stocks, market.sessions.astype(object)[300:])
    version = train(PLAN, artifacts=artifact_root, now=NOW, progress=no_progress)
    assert version.feature_set == "hc3"
    assert not bundle_of(version, "serving").uses_news


def stored_sentiment(stocks: list[Instrument], sessions: Iterable[date]) -> None:
    """One article a stock and session, good and bad in turn."""
    SentimentDay.objects.bulk_create(
        SentimentDay(
            instrument=stock, session=session, scorer="lexicon", score=(-0.5, 0.5)[day % 2], count=1, computed_at=NOW
        )
        for day, session in enumerate(sessions)
        for stock in stocks
    )
