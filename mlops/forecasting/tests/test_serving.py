"""Forecasts from a panel, and abstentions."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mlops.forecasting.serving import InstrumentForecast, forecast_blocks, forecast_panel
from mlops.forecasting.tests.small import number, session_of, small_bundle, small_panel
from mlops.forecasting.types import HORIZONS, PRICE_FIELDS, Panel


def forecasts_at(panel: Panel, row: int = -1) -> list[InstrumentForecast]:
    """The small bundle's forecasts from the session in a row."""
    return forecast_panel(small_bundle(), panel, origin=session_of(panel, row))


def changed(panel: Panel, column: int, rows: slice, factor: float) -> Panel:
    """The panel with some bars of one symbol multiplied; NaN takes them away."""
    fields = {name: getattr(panel, name).copy() for name in PRICE_FIELDS}
    for values in fields.values():
        values[rows, column] *= factor
    return Panel(symbols=panel.symbols, sessions=panel.sessions, **fields)


def without_inputs(forecasts: list[InstrumentForecast]) -> list[InstrumentForecast]:
    return [replace(predicted, inputs=None) for predicted in forecasts]


def test_every_symbol_and_horizon_has_one_forecast() -> None:
    panel = small_panel()
    forecasts = forecasts_at(panel)
    expected = [(symbol, horizon) for symbol in panel.symbols for horizon in HORIZONS]
    assert [(predicted.symbol, predicted.horizon_sessions) for predicted in forecasts] == expected
    assert {predicted.status for predicted in forecasts} == {"issued"}


def test_intervals_are_strictly_nested_around_the_price() -> None:
    forecasts = forecasts_at(small_panel())
    for predicted in forecasts:
        bounds = [predicted.intervals[level] for level in (99, 95, 80)]
        ordered = [
            *(low for low, _ in bounds),
            number(predicted.predicted_price),
            *(high for _, high in reversed(bounds)),
        ]
        assert ordered == sorted(set(ordered))
        assert ordered[0] > 0
    assert len(forecasts) == 16


def test_price_and_probability_agree() -> None:
    for predicted in forecasts_at(small_panel()):
        up = number(predicted.probability_up)
        assert (number(predicted.predicted_price) > number(predicted.last_price)) == (up > 0.5)
        assert predicted.confidence == max(up, 1 - up)
        assert predicted.last_price == small_panel().close[-1, int(predicted.symbol[1:])]


def test_one_session_ahead_has_no_volatility_question() -> None:
    for predicted in forecasts_at(small_panel()):
        assert (predicted.volatility_rises is None) == (predicted.horizon_sessions == 1)
        assert 0 < number(predicted.big_move) < 1
        assert predicted.risk_level in {"low", "normal", "elevated", "high"}


def test_drivers_are_five_at_most_and_strongest_first() -> None:
    for predicted in forecasts_at(small_panel()):
        sizes = [abs(driver.contribution) for driver in predicted.drivers]
        assert 1 <= len(sizes) <= 5
        assert sizes == sorted(sizes, reverse=True)
        assert all((driver.contribution > 0) == (driver.direction == "up") for driver in predicted.drivers)
        assert all(driver.words for driver in predicted.drivers)


def test_bars_after_the_origin_change_no_forecast() -> None:
    panel = small_panel()
    altered = panel
    for column in range(len(panel.symbols)):
        altered = changed(altered, column, slice(700, None), 7.0)
    assert without_inputs(forecasts_at(altered, 699)) == without_inputs(forecasts_at(panel, 699))
    assert without_inputs(forecasts_at(altered, 700)) != without_inputs(forecasts_at(panel, 700))


def test_stored_inputs_reproduce_the_forecast() -> None:
    together = forecasts_at(small_panel())
    again = []
    for predicted in together[:: len(HORIZONS)]:
        assert predicted.inputs is not None
        again.extend(forecast_blocks(small_bundle(), predicted.inputs[None], (predicted.symbol,)))
    assert without_inputs(again) == without_inputs(together)
    assert len(again) == 16


def test_an_unknown_origin_is_refused() -> None:
    panel = small_panel()
    with pytest.raises(ValueError, match="no session"):
        forecast_panel(small_bundle(), panel, origin=session_of(panel, -1) + timedelta(days=1))


def test_an_instrument_far_behind_is_not_forecast() -> None:
    forecasts = forecasts_at(changed(small_panel(), 1, slice(-6, None), np.nan))
    silent = [predicted for predicted in forecasts if predicted.status == "abstained"]
    assert {predicted.symbol for predicted in silent} == {"S001"}
    assert silent[0].reasons == ("its latest price is 6 trading days older than those of the other stocks",)
    assert (silent[0].predicted_price, silent[0].signal, silent[0].inputs) == (None, "", None)
    assert len(silent) == 4


def test_an_instrument_slightly_behind_has_wider_intervals() -> None:
    panel = small_panel()
    late = forecasts_at(changed(panel, 1, slice(-3, None), np.nan))[4:8]
    on_time = forecasts_at(panel, -4)[4:8]
    assert {predicted.status for predicted in late} == {"issued"}
    for predicted, earlier in zip(late, on_time, strict=True):
        assert predicted.last_price == earlier.last_price
        ratio = np.log(predicted.intervals[95][1] / number(predicted.predicted_price)) / np.log(
            earlier.intervals[95][1] / number(earlier.predicted_price)
        )
        # Three sessions more than promised: the square root of (h + 3) / h; the ranks of the others move a little.
        assert ratio == pytest.approx(np.sqrt(1 + 3 / predicted.horizon_sessions), rel=0.02)


def test_a_new_listing_is_not_forecast() -> None:
    forecasts = forecasts_at(changed(small_panel(), 2, slice(0, 520), np.nan))
    assert forecasts[8].reasons == ("it has 240 trading days of history; 253 are needed",)
    assert forecasts[4].status == "issued"


def test_an_instrument_without_bars_is_not_forecast() -> None:
    assert forecasts_at(changed(small_panel(), 0, slice(None), np.nan))[0].reasons == ("this stock has no prices",)


def test_a_feature_out_of_range_is_named() -> None:
    forecasts = forecasts_at(changed(small_panel(), 3, slice(-1, None), 20.0))
    assert forecasts[12].status == "abstained"
    assert any("the size of the last trading day's move" in reason for reason in forecasts[12].reasons)
    assert all(len(reason) <= 200 for reason in forecasts[12].reasons)


def test_an_expired_model_abstains() -> None:
    expired = replace(small_bundle(), trained_through=session_of(small_panel(), -1) - timedelta(days=800))
    panel = small_panel()
    forecasts = forecast_panel(expired, panel, origin=session_of(panel, -1))
    assert {predicted.status for predicted in forecasts} == {"abstained"}
    assert "expired" in forecasts[0].reasons[0]
