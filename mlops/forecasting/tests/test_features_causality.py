"""The future cannot change the past; gaps, late listings, short histories, one symbol alone."""

from dataclasses import fields, replace

import numpy as np
import pytest

from mlops.forecasting.features import DIRECTION_NAMES, VOLATILITY_NAMES, FeatureCube, build_features
from mlops.forecasting.features.registry import DESCRIPTIONS, NEWS_NAMES
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import PRICE_FIELDS, Panel

CUT = 300
WARM_UP = 252
FEATURES = [("direction", name) for name in DIRECTION_NAMES] + [("volatility", name) for name in VOLATILITY_NAMES]


def altered_after(panel: Panel, row: int) -> Panel:
    """The same bars up to `row`; from there other prices, other volumes, and a column that goes missing."""
    rng = np.random.default_rng(99)
    changed = {name: getattr(panel, name).copy() for name in PRICE_FIELDS}
    for values in changed.values():
        values[row:] *= np.exp(rng.standard_normal(values[row:].shape))
        values[row + 5 :, 1] = np.nan
    return replace(panel, **changed)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return synthetic_panel(sessions=340, symbols=5, listed_from={3: 20}, gaps=[(100, 2), (290, 0)])


@pytest.fixture(scope="module")
def cubes(panel: Panel) -> tuple[FeatureCube, FeatureCube]:
    return build_features(panel), build_features(altered_after(panel, CUT))


@pytest.mark.parametrize(("family", "name"), FEATURES)
def test_the_future_cannot_change_a_feature_of_the_past(
    cubes: tuple[FeatureCube, FeatureCube], family: str, name: str
) -> None:
    names = getattr(cubes[0], f"{family}_names")
    before, after = (getattr(cube, family)[:, :, names.index(name)] for cube in cubes)
    np.testing.assert_array_equal(after[:CUT], before[:CUT])
    assert np.isfinite(before[WARM_UP:CUT]).any()
    assert not np.array_equal(after[CUT:], before[CUT:], equal_nan=True)


def test_the_future_cannot_change_sigma_of_the_past(cubes: tuple[FeatureCube, FeatureCube]) -> None:
    before, after = (cube.ewma_sigma for cube in cubes)
    np.testing.assert_array_equal(after[:CUT], before[:CUT])
    assert not np.array_equal(after[CUT:], before[CUT:], equal_nan=True)


def test_a_panel_cut_short_has_the_same_last_features(panel: Panel, cubes: tuple[FeatureCube, FeatureCube]) -> None:
    last = panel.sessions[CUT].item()
    cut = build_features(panel.through(last))
    np.testing.assert_array_equal(cut.direction, cubes[0].direction[: CUT + 1])
    np.testing.assert_array_equal(cut.volatility, cubes[0].volatility[: CUT + 1])


def test_inputs_are_not_changed() -> None:
    panel = synthetic_panel(sessions=280, symbols=3, gaps=[(50, 1)])
    copies = {field.name: np.copy(getattr(panel, field.name)) for field in fields(Panel)}
    build_features(panel)
    for name in PRICE_FIELDS:
        np.testing.assert_array_equal(getattr(panel, name), copies[name])
    np.testing.assert_array_equal(panel.sessions, copies["sessions"])


def test_every_feature_is_there_once_a_year_of_returns_is_known_and_not_before() -> None:
    cube = build_features(synthetic_panel(sessions=260, symbols=3))
    for features in (cube.direction, cube.volatility):
        complete = np.asarray(np.isfinite(features).all(axis=2))
        assert not complete[:WARM_UP].any()
        assert complete[WARM_UP:].all()


def test_a_late_listing_needs_a_year_and_a_gap_costs_one_session() -> None:
    panel = synthetic_panel(sessions=310, symbols=3, listed_from={1: 30}, gaps=[(290, 1)])
    cube = build_features(panel)
    complete = np.isfinite(np.concatenate([cube.direction, cube.volatility], axis=2)).all(axis=2)
    expected = np.arange(310) >= 30 + WARM_UP
    expected[290] = False
    np.testing.assert_array_equal(complete[:, 1], expected)
    assert np.isnan(cube.direction[290, 1]).all()
    assert np.isnan(cube.volatility[290, 1]).all()
    assert np.isnan(cube.ewma_sigma[290, 1])


def test_own_features_do_not_see_where_the_gap_was() -> None:
    """Windows count an instrument's own bars: taking a session out of the calendar changes nothing for it."""
    with_gap = synthetic_panel(sessions=300, symbols=1, gaps=[(120, 0)])
    unchanged = np.arange(300) != 120
    without = replace(
        with_gap,
        sessions=with_gap.sessions[unchanged],
        **{name: getattr(with_gap, name)[unchanged] for name in PRICE_FIELDS},
    )
    np.testing.assert_array_equal(build_features(with_gap).direction[unchanged], build_features(without).direction)


def test_one_symbol_alone_ranks_in_the_middle_and_is_its_own_market() -> None:
    cube = build_features(synthetic_panel(sessions=260, symbols=1))
    last = dict(zip(cube.direction_names, cube.direction[-1, 0], strict=True))
    assert {last[name] for name in last if name.startswith("rank_")} == {0.5}
    assert last["idio_5"] == 0.0
    assert np.isfinite(cube.volatility[-1]).all()


@pytest.mark.parametrize("sessions", [0, 1, 5, 20])
def test_a_short_panel_has_no_complete_features_and_no_error(sessions: int) -> None:
    cube = build_features(synthetic_panel(sessions=sessions, symbols=2))
    assert cube.direction.shape == (sessions, 2, 30)
    assert not np.isfinite(cube.direction).all(axis=2).any()


def test_a_constant_price_has_finite_features() -> None:
    panel = synthetic_panel(sessions=260, symbols=2)
    for name in ("open", "high", "low", "close"):
        getattr(panel, name)[:, 0] = 12.5
    cube = build_features(panel)
    assert np.isfinite(cube.direction[WARM_UP:]).all()
    assert np.isfinite(cube.volatility[WARM_UP:]).all()


@pytest.mark.parametrize("wrong", [0.0, -3.0, np.inf])
def test_an_impossible_price_counts_as_no_bar(wrong: float) -> None:
    panel = synthetic_panel(sessions=280, symbols=2, gaps=[(270, 0)])
    with_wrong = replace(panel, close=np.where(np.isnan(panel.close), wrong, panel.close))
    np.testing.assert_array_equal(build_features(with_wrong).direction, build_features(panel).direction)


def test_more_symbols_than_are_done_at_once_are_all_there() -> None:
    many = synthetic_panel(sessions=260, symbols=70)
    two = replace(many, symbols=many.symbols[68:], **{name: getattr(many, name)[:, 68:] for name in PRICE_FIELDS})
    own = len(DIRECTION_NAMES) - 11
    np.testing.assert_array_equal(
        build_features(many).direction[:, 68:, :own], build_features(two).direction[..., :own]
    )
    assert np.isfinite(build_features(many).direction[-1]).all()


def test_the_30_direction_features_have_names_and_descriptions() -> None:
    cube = build_features(synthetic_panel(sessions=30, symbols=2))
    assert len(DIRECTION_NAMES) == len(set(DIRECTION_NAMES)) == 30
    assert len(VOLATILITY_NAMES) == len(set(VOLATILITY_NAMES)) == 16
    assert cube.direction_names == DIRECTION_NAMES
    assert cube.volatility_names == VOLATILITY_NAMES
    assert set(DESCRIPTIONS) == {*DIRECTION_NAMES, *VOLATILITY_NAMES, *NEWS_NAMES}
    assert DESCRIPTIONS["rank_vol"] == "the rank of volatility among the tracked stocks"
