"""The geometry of the record's charts, worked out by hand."""

from datetime import date

import pytest

from predictions.accuracy_metrics import CalibrationBin
from predictions.record_charts import Tick, calibration_chart, coverage_lines, time_chart
from predictions.selectors.metrics import Period


def period(accuracy: float | None, base_rate: float | None) -> Period:
    day = date(2023, 9, 21)
    return {
        "first": day, "last": day, "n": 1, "accuracy": accuracy, "base_rate": base_rate,
        "coverage_80": None, "coverage_95": None, "coverage_99": None, "brier": None,
    }  # fmt: skip


def one_bin(n: int, predicted: float, actual: float) -> CalibrationBin:
    return {"lower": 0.5, "upper": 0.6, "n": n, "mean_probability": predicted, "share_up": actual}


def test_periods_stand_side_by_side_on_a_scale_of_round_shares() -> None:
    # From .5 to .6 is stretched to a fifth around the middle: .45 to .65; .5 is a quarter up, .6 three quarters.
    chart = time_chart([period(0.5, 0.6), period(0.6, 0.6)])
    assert chart is not None
    assert chart.accuracy == "25.00,75.00 75.00,25.00"
    assert chart.base_rate == "25.00,25.00 75.00,25.00"
    assert chart.ticks == (Tick(0.0, 0.45), Tick(50.0, 0.55), Tick(100.0, 0.65))


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.0, 0.1), (1.0, 0.9, 1.0)])
def test_the_scale_stays_within_0_and_1(share: float, low: float, high: float) -> None:
    chart = time_chart([period(share, share)])
    assert chart is not None
    assert (chart.ticks[0].share, chart.ticks[-1].share) == (low, high)


def test_an_empty_series_gives_no_chart() -> None:
    assert time_chart([]) is None
    assert time_chart([period(None, None)]) is None
    assert calibration_chart([]) is None
    assert coverage_lines({"80": None, "95": None, "99": None}) == []


def test_a_bin_with_more_forecasts_is_larger_and_agreement_lies_on_the_diagonal() -> None:
    chart = calibration_chart([one_bin(100, 0.5, 0.5), one_bin(25, 0.6, 0.3)])
    assert chart is not None
    # From .3 to .6 in steps of .1: .5 is two thirds across and up. A quarter of the count is half of the extra size.
    assert [(dot.x, dot.y, dot.size) for dot in chart.dots] == [(66.67, 33.33, 16.0), (100.0, 100.0, 10.5)]


def test_coverage_begins_at_a_half() -> None:
    lines = coverage_lines({"80": 0.8, "95": 0.4, "99": 1.0})
    assert [(line.level, line.actual_x, line.target_x) for line in lines] == [
        (80, 60.0, 60.0), (95, 0.0, 90.0), (99, 100.0, 98.0)
    ]  # fmt: skip
