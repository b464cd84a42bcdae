"""Tests of promotion: a challenger is compared on sessions that neither version was trained on."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mlops import artifacts
from mlops.errors import ArtifactCorrupt, NoChampion, PromotionRefused
from mlops.forecasting.bundle import UP, Bundle
from mlops.forecasting.promotion_gate import GateDecision
from mlops.forecasting.storage import save_bundle
from mlops.forecasting.types import Panel
from mlops.models import AliasChange, ModelVersion
from mlops.selectors import champion
from mlops.services.evaluation import Comparison, judge_challenger, record
from mlops.services.registry import promote
from mlops.tests.factories import NOW, model_version, stored_bars, version_with_files

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_memory", "champion_key")]


def registered(name: str, bundle: Bundle, market: Panel, **fields: object) -> ModelVersion:
    """A version both of whose fits are `bundle`, with the last 272 sessions of the market as its hold-out."""

    def fill(folder: Path) -> None:
        for fit in ("serving", "holdout"):
            (folder / fit).mkdir()
            save_bundle(bundle, folder / fit)

    written = artifacts.write(root=artifacts.default_root(), name=name, fill=fill)
    sessions: list[date] = market.sessions.astype(object).tolist()
    dates = {
        "trained_through": sessions[-1],
        "holdout_trained_through": sessions[-273],
        "holdout_first": sessions[-272],
        "holdout_last": sessions[-1],
    }
    return model_version(name, artifact_sha256=written.sha256, **(dates | fields))


def far_off(bundle: Bundle) -> Bundle:
    """The bundle with the firm belief that prices fall nine times in ten, and bands that nothing leaves."""
    head = bundle.heads[UP]
    sure = replace(head, base_rates=np.full_like(head.base_rates, 0.1), weights=np.zeros_like(head.weights))
    bands = replace(bundle.intervals, quantiles=3 * bundle.intervals.quantiles)
    return replace(bundle, heads={**bundle.heads, UP: sure}, intervals=bands)


@pytest.fixture
def bars(market: Panel, artifact_root: Path) -> None:
    stored_bars(market)


def serving(version: ModelVersion) -> ModelVersion:
    """The version, made champion."""
    return promote(version=version, actor=None, reason="first trained version", now=NOW)


def test_a_clearly_better_challenger_becomes_champion_with_a_reason(bars: None, bundle: Bundle, market: Panel) -> None:
    old = serving(registered("v1", far_off(bundle), market))
    new = registered("v2", bundle, market)
    evaluation = judge_challenger(challenger=new, now=NOW)
    assert (evaluation.decision, evaluation.rule) == ("promote", "superiority")
    assert (evaluation.champion, evaluation.challenger, champion()) == (old, new, new)
    assert AliasChange.objects.get(ends_at=None).reason == evaluation.reason != ""
    assert evaluation.statistics
    assert (evaluation.first, evaluation.last) == (new.holdout_first, new.holdout_last)


def test_a_clearly_worse_challenger_is_refused_with_a_reason(bars: None, bundle: Bundle, market: Panel) -> None:
    old = serving(registered("v1", bundle, market, trained_through=date(2018, 1, 1)))
    evaluation = judge_challenger(challenger=registered("v2", far_off(bundle), market), now=NOW)
    assert (evaluation.decision, evaluation.rule) == ("keep", "non_inferiority")
    assert evaluation.reason != ""
    assert champion() == old


def test_a_retrained_version_that_is_no_worse_is_promoted(bars: None, bundle: Bundle, market: Panel) -> None:
    serving(registered("v1", bundle, market, trained_through=date(2018, 1, 1)))
    new = registered("v2", replace(bundle, seed=8), market)
    evaluation = judge_challenger(challenger=new, now=NOW)
    assert (evaluation.decision, evaluation.rule) == ("promote", "non_inferiority")
    assert champion() == new


def test_an_equal_version_that_learned_from_nothing_newer_is_not_promoted(
    bars: None, bundle: Bundle, market: Panel
) -> None:
    old = serving(registered("v1", bundle, market))
    evaluation = judge_challenger(challenger=registered("v2", replace(bundle, seed=8), market), now=NOW)
    assert (evaluation.decision, evaluation.rule) == ("keep", "superiority")
    assert champion() == old


def test_a_copy_of_the_champion_is_refused_without_a_comparison(bars: None, bundle: Bundle, market: Panel) -> None:
    old = serving(registered("v1", bundle, market))
    evaluation = judge_challenger(challenger=registered("v2", bundle, market), now=NOW)
    assert evaluation.decision == "keep"
    assert evaluation.reason == (f"No change: v2 is identical to v1, trained on data to {old.trained_through}.")
    assert evaluation.statistics == {}


def test_only_dates_after_both_hold_out_fits_are_compared(bars: None, bundle: Bundle, market: Panel) -> None:
    sessions = market.sessions.astype(object)
    serving(
        registered("v1", far_off(bundle), market, holdout_trained_through=sessions[-300], holdout_first=sessions[-299])
    )
    evaluation = judge_challenger(challenger=registered("v2", bundle, market), now=NOW)
    assert evaluation.first == sessions[-272]


def test_too_few_shared_sessions_keep_the_champion(bars: None, bundle: Bundle, market: Panel) -> None:
    sessions = market.sessions.astype(object)
    old = serving(registered("v1", far_off(bundle), market))
    late = registered("v2", bundle, market, holdout_trained_through=sessions[-101], holdout_first=sessions[-100])
    evaluation = judge_challenger(challenger=late, now=NOW)
    assert evaluation.decision == "keep"
    assert champion() == old


def test_without_bars_nothing_can_be_compared(artifact_root: Path, bundle: Bundle, market: Panel) -> None:
    serving(registered("v1", far_off(bundle), market))
    evaluation = judge_challenger(challenger=registered("v2", bundle, market), now=NOW)
    assert evaluation.decision == "keep"
    assert evaluation.reason.startswith("There is no session from ")


def test_the_champion_is_not_judged_against_itself(bars: None, bundle: Bundle, market: Panel) -> None:
    version = registered("v1", bundle, market)
    with pytest.raises(NoChampion):
        judge_challenger(challenger=version, now=NOW)
    serving(version)
    with pytest.raises(PromotionRefused, match="it is already the champion"):
        judge_challenger(challenger=version, now=NOW)


def test_damaged_files_prevent_a_promotion(bars: None, bundle: Bundle, market: Panel) -> None:
    old = serving(registered("v1", far_off(bundle), market))
    new = registered("v2", bundle, market)
    (artifacts.default_root() / "v2" / "holdout" / "bundle.json").write_text("{}")
    with pytest.raises(ArtifactCorrupt, match="model v2"):
        judge_challenger(challenger=new, now=NOW)
    assert champion() == old


def test_a_decision_about_a_former_champion_is_ignored(artifact_root: Path) -> None:
    compared, challenger = serving(version_with_files("v1")), version_with_files("v2")
    meanwhile = serving(version_with_files("v3"))
    comparison = Comparison(challenger, compared, "superiority", challenger.holdout_first, challenger.holdout_last)
    evaluation = record(comparison, GateDecision("promote", "better than v1", {}), NOW)
    assert (evaluation.decision, champion()) == ("keep", meanwhile)
    assert evaluation.reason == "The champion changed during the comparison with v2."
