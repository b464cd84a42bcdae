"""Chart geometry and arrays; every number is worked out in the comment beside it."""

from datetime import date
from decimal import Decimal

import pytest

from predictions.charts import (
    ChartSubject,
    ConePoint,
    PastForecast,
    PriceSpan,
    chart_body,
    interval_bar,
    largest_move,
    move_bar,
    span_of,
    sparkline,
)

SPAN = PriceSpan(predicted=105.0, lower_80=100.0, upper_80=110.0, lower_95=95.0, upper_95=115.0)
SUBJECT = ChartSubject("AAPL", "USD", 2, "sample data", origin=date(2023, 9, 21))


def test_intervals_must_be_nested() -> None:
    with pytest.raises(ValueError, match="nested"):
        PriceSpan(predicted=105.0, lower_80=106.0, upper_80=110.0, lower_95=95.0, upper_95=115.0)


def test_sparkline_without_a_forecast_takes_the_whole_width() -> None:
    # 3 closes over 132: x = 0, 66, 132. Prices 10..20 over 36 with a margin of 3: y = 33 - 30 * share.
    drawn = sparkline([10.0, 20.0, 15.0])
    assert drawn is not None
    assert drawn.past == "0.0,33.0 66.0,3.0 132.0,18.0"
    assert (drawn.cone, drawn.dot) == ("", None)


def test_sparkline_shares_its_scale_with_the_cone() -> None:
    # Past ends at 0.78 * 132 = 102.96. Scale 100..110: close 105 -> y = 33 - 30 * .5 = 18; bounds at 3 and 33.
    drawn = sparkline([100.0, 105.0], SPAN)
    assert drawn is not None
    assert drawn.past == "0.0,33.0 103.0,18.0"
    assert drawn.cone == "103.0,18.0 129.0,3.0 129.0,33.0"
    assert drawn.dot == (129.0, 18.0)


def test_sparkline_of_unchanged_prices_is_a_line_in_the_middle() -> None:
    drawn = sparkline([7.0, 7.0])
    assert drawn is not None
    assert drawn.past == "0.0,18.0 132.0,18.0"


@pytest.mark.parametrize("closes", [[], [5.0]])
def test_one_close_makes_no_sparkline(closes: list[float]) -> None:
    assert sparkline(closes) is None


def test_interval_bar_positions_are_percentages() -> None:
    # 95..115 fills 6..94 %: 100 -> 6 + 88 * 5/20 = 28, 110 -> 72, 105 -> 50, last 96 -> 6 + 88/20 = 10.4.
    bar = interval_bar(SPAN, last=96.0)
    assert (bar.start_95, bar.width_95) == (6.0, 88.0)
    assert (bar.start_80, bar.width_80) == (28.0, 44.0)
    assert (bar.forecast, bar.last) == (50.0, 10.4)


def test_interval_bar_makes_room_for_a_last_price_outside() -> None:
    # 75..115 fills 6..94 %: 95 -> 6 + 88 * 20/40 = 50.
    bar = interval_bar(SPAN, last=75.0)
    assert (bar.last, bar.start_95, bar.width_95) == (6.0, 50.0, 44.0)


def test_an_abstention_has_no_span() -> None:
    class Abstained:
        predicted_price = lower_80 = upper_80 = lower_95 = upper_95 = None

    assert span_of(Abstained()) is None
    assert span_of(None) is None


def test_chart_body_is_columns_rounded_to_the_tick() -> None:
    bars = [
        (date(2023, 9, 20), Decimal("179.26"), Decimal("179.70"), Decimal("175.40"), Decimal("175.490005")),
        (date(2023, 9, 21), Decimal("174.55"), Decimal("176.30"), Decimal("173.86"), Decimal("173.929993")),
    ]
    body = chart_body(
        SUBJECT,
        bars=bars,
        future=[date(2023, 9, 22)],
        cone=[ConePoint(1, date(2023, 9, 22), SPAN)],
        past=[PastForecast("live", date(2023, 9, 21), date(2023, 9, 20), 174.5678, inside_80=True)],
    )
    assert body["sessions"] == ["2023-09-20", "2023-09-21"]
    assert body["close"] == [175.49, 173.93]
    assert body["high"] == [179.7, 176.3]
    assert (body["origin"], body["future"]) == ("2023-09-21", ["2023-09-22"])
    assert body["cone"] == [
        {
            "horizon": 1,
            "session": "2023-09-22",
            "lower_95": 95.0,
            "lower_80": 100.0,
            "predicted": 105.0,
            "upper_80": 110.0,
            "upper_95": 115.0,
        }
    ]
    assert body["past"] == [
        {"kind": "live", "session": "2023-09-21", "origin": "2023-09-20", "price": 174.57, "inside": True}
    ]


def test_moves_are_drawn_on_one_scale_around_the_last_price() -> None:
    # From 100 to 95..115: -5 to +15 %. On a line of -20 to +20 %: 50 + 50 * m / .2 = 37.5, 87.5; 100 -> 50, 110 -> 75.
    assert largest_move(SPAN, 100.0) == pytest.approx(0.15)
    assert largest_move(SPAN, 120.0) == pytest.approx(25 / 120)
    bar = move_bar(SPAN, 100.0, scale=0.2)
    assert (bar.start_95, bar.width_95, bar.start_80, bar.width_80) == (37.5, 50.0, 50.0, 25.0)
    assert (bar.forecast, bar.last) == (62.5, 50.0)
