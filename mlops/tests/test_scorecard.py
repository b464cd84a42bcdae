"""Tests of the scorecard: shortest horizon first, a dash where nothing was measured."""

from mlops.scorecard import HEADINGS, scorecard
from mlops.tests.factories import METRICS


def test_each_accuracy_is_next_to_its_baseline() -> None:
    scores = scorecard(METRICS)
    assert [score.horizon_sessions for score in scores] == [1, 5]
    assert dict(zip(HEADINGS, scores[1].cells, strict=True)) == {
        "days": "5",
        "n": "1,482",
        "accuracy": "54.8%",
        "baseline": "54.6%",
        "AUC": "0.521",
        "Brier": "0.247",
        "80%": "80.2%",
        "95%": "95.1%",
        "99%": "99.0%",
        "vol. accuracy": "66.1%",
        "vol. baseline": "50.2%",
    }


def test_an_unmeasured_metric_is_a_dash() -> None:
    assert scorecard(METRICS)[0].cells == (
        "1", "1,506", "51.7%", "51.9%", "-", "0.250", "80.0%", "95.0%", "99.0%", "-", "-",
    )  # fmt: skip


def test_a_version_without_metrics_has_no_scores() -> None:
    assert scorecard({}) == []
