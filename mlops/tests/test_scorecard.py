"""Figures as they are shown: shortest horizon first, a dash where nothing was measured."""

from mlops.scorecard import HEADINGS, scorecard
from mlops.tests.factories import METRICS


def test_a_version_s_figures_stand_beside_their_base_rates() -> None:
    scores = scorecard(METRICS)
    assert [score.horizon_sessions for score in scores] == [1, 5]
    assert dict(zip(HEADINGS, scores[1].cells, strict=True)) == {
        "sessions": "5",
        "n": "1,482",
        "right": "54.8 %",
        "base": "50.2 %",  # the last column of the two that are called base: that of "volatility rises"
        "AUC": "0.521",
        "Brier": "0.247",
        "80 %": "80.2 %",
        "95 %": "95.1 %",
        "99 %": "99.0 %",
        "vol. rises": "66.1 %",
    }
    assert scores[1].cells[3] == "54.6 %"


def test_what_was_not_measured_is_a_dash() -> None:
    assert scorecard(METRICS)[0].cells == (
        "1", "1,506", "51.7 %", "51.9 %", "-", "0.250", "80.0 %", "95.0 %", "99.0 %", "-", "-",
    )  # fmt: skip


def test_a_version_without_figures_has_no_scores() -> None:
    assert scorecard({}) == []
