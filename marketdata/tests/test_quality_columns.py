"""Column rules give exactly the results of the row rules."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.bar_columns import COLUMNS, BarColumns, columns_from_records
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.quality import columns as quality_columns
from marketdata.quality.bars import check_bars
from marketdata.quality.columns import check_columns
from marketdata.tests.factories import FIRST, LAST, bars_between
from marketdata.tests.test_quality import ANY_BAR, scaled


def assert_rules_agree(
    columns: BarColumns, *, last_final: date = LAST, actions: Sequence[CorporateActionRecord] = ()
) -> int:
    """Check that both ways agree on the same rows; returns the number of rejected bars."""
    rows = check_bars(list(columns.records()), mic="XNYS", last_final=last_final, actions=actions)
    judged = check_columns(columns, mic="XNYS", last_final=last_final, actions=actions)
    assert repr(judged.rejected) == repr(rows.rejected)
    assert list(judged.good.records()) == rows.good
    return len(rows.rejected)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY_BAR, max_size=12))
def test_columns_and_rows_agree_on_arbitrary_bars(bars: list[BarRecord]) -> None:
    assert_rules_agree(columns_from_records(bars))


FACTORS = st.sampled_from(
    ["100", "0.01", "0.02", "50", "0.5", "2", "0.52", "0.476", "0.667", "1.5", "0.3", "3.1", "7", "0.06", "1.06", "1.2"]
)
ACTIONS = st.lists(
    st.builds(
        CorporateActionRecord,
        session=st.dates(FIRST, LAST),
        kind=st.sampled_from(["split", "dividend"]),
        value=st.sampled_from([Decimal(text) for text in ("0.5", "1.1", "1.5", "2", "3", "20", "101.5", "51")]),
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 61), st.integers(0, 61), FACTORS), max_size=3),
    still=st.tuples(st.integers(0, 61), st.integers(0, 8)),
    actions=ACTIONS,
)
def test_columns_and_rows_agree_on_levels_splits_and_flat_lines(
    changes: list[tuple[int, int, str]], still: tuple[int, int], actions: list[CorporateActionRecord]
) -> None:
    bars = bars_between()
    for start, end, factor in changes:
        bars[start:end] = [scaled(one, factor) for one in bars[start:end]]
    first, repeats = still
    bars[first + 1 : first + 1 + repeats] = [
        replace(bars[first], session=one.session) for one in bars[first + 1 : first + 1 + repeats]
    ]
    assert_rules_agree(columns_from_records(bars), actions=actions)


@settings(max_examples=60, deadline=None)
@given(
    place=st.integers(55, 125),
    factor=st.sampled_from(["0.35", "0.59", "0.61", "0.63", "1.62", "1.7"]),
    volume=st.sampled_from([900, 10_000, 10_001]),
    gap=st.sampled_from(["1", "1.05", "1.2"]),
    actions=ACTIONS,
)
def test_columns_and_rows_agree_on_level_shifts(
    place: int, factor: str, volume: int, gap: str, actions: list[CorporateActionRecord]
) -> None:
    bars = [scaled(one, gap) if n > 40 else one for n, one in enumerate(bars_between(date(2022, 10, 3), LAST))]
    bars[place:] = [scaled(one, factor) for one in bars[place:]]
    bars[place : place + 1] = [replace(one, volume=volume) for one in bars[place : place + 1]]
    assert_rules_agree(columns_from_records(bars), actions=actions)


@pytest.mark.parametrize("factor", ["0.88", "0.93", "0.8", "1.11", "1.13", "1.3"])
@pytest.mark.parametrize("place", [0, 1, 30, 60, 61])
def test_columns_and_rows_agree_on_isolated_bars(factor: str, place: int) -> None:
    bars = bars_between()
    bars[place] = scaled(bars[place], factor)
    assert_rules_agree(columns_from_records(bars))


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in COLUMNS[1:] for value in (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-8, 9e-9, 1e9, 2.0**63)],
)
def test_columns_and_rows_agree_on_unusual_values(name: str, value: float) -> None:
    columns = columns_from_records(bars_between())
    column = getattr(columns, name).copy()
    column[7] = value
    assert_rules_agree(replace(columns, **{name: column}))


def test_columns_and_rows_agree_on_dates() -> None:
    bars = bars_between()
    bars.insert(4, replace(bars[4], session=date(2023, 1, 7)))
    bars.insert(9, bars[8])
    bars.insert(20, bars.pop(30))
    bars.append(replace(bars[-1], session=date(2023, 4, 3)))
    bars.append(replace(bars[-1], session=date(2023, 4, 4)))
    assert assert_rules_agree(columns_from_records(bars)) == 5


def test_valid_columns_never_become_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_columns, "check_series", None)
    columns = columns_from_records(bars_between())
    assert len(check_columns(columns, mic="XNYS", last_final=LAST).good) == 62
    with pytest.raises(TypeError):
        check_columns(columns_from_records(bars_between()[::-1]), mic="XNYS", last_final=LAST)


def test_empty_columns_have_no_rejections() -> None:
    assert assert_rules_agree(columns_from_records([])) == 0


def test_columns_need_equal_length_and_valid_dates() -> None:
    columns = columns_from_records(bars_between())
    with pytest.raises(ValueError, match="different lengths"):
        replace(columns, volume=columns.volume[1:])
    for day in (np.datetime64("NaT"), np.datetime64(date.max) + np.timedelta64(1, "D")):
        sessions = columns.session.copy()
        sessions[0] = day
        with pytest.raises(ValueError, match="not a date"):
            replace(columns, session=sessions)
