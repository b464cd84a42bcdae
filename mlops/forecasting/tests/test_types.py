"""Panels: validation, slicing and session look-up."""

from dataclasses import fields
from datetime import date

import numpy as np
import pytest

from mlops.forecasting.errors import BundleUnreadable, ForecastingError, TooLittleHistory
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import PRICE_FIELDS, Panel


def test_through_keeps_sessions_up_to_a_day_that_need_not_be_one() -> None:
    panel = synthetic_panel(sessions=10, symbols=2)  # 2015-01-05 (a Monday) .. 2015-01-16
    cut = panel.through(date(2015, 1, 11))  # a Sunday
    assert cut.sessions[-1] == np.datetime64("2015-01-09")
    assert [getattr(cut, name).shape for name in PRICE_FIELDS] == [(5, 2)] * 6


def test_row_of_finds_a_session_and_refuses_a_day_without_one() -> None:
    panel = synthetic_panel(sessions=10, symbols=1)
    assert panel.row_of(date(2015, 1, 12)) == 5
    with pytest.raises(ValueError, match="2015-01-11"):
        panel.row_of(date(2015, 1, 11))
    with pytest.raises(ValueError, match="2020-01-01"):
        panel.row_of(date(2020, 1, 1))


@pytest.mark.parametrize("order", [[0, 2, 1], [0, 1, 1]])
def test_sessions_that_do_not_ascend_are_refused(order: list[int]) -> None:
    panel = synthetic_panel(sessions=3, symbols=1)
    with pytest.raises(ValueError, match="ascend"):
        Panel(panel.symbols, panel.sessions[order], *(getattr(panel, name) for name in PRICE_FIELDS))


def test_an_array_of_another_shape_is_refused() -> None:
    panel = synthetic_panel(sessions=3, symbols=2)
    arrays = {field.name: getattr(panel, field.name) for field in fields(Panel)}
    with pytest.raises(ValueError, match="volume"):
        Panel(**arrays | {"volume": panel.volume[:, :1]})


def test_errors_keep_their_facts() -> None:
    short, broken = TooLittleHistory(have=3, needed=250), BundleUnreadable("no manifest")
    assert (short.have, short.needed, broken.reason) == (3, 250, "no manifest")
    assert isinstance(short, ForecastingError)
    assert isinstance(broken, ForecastingError)
