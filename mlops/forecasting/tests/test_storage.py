"""A loaded bundle equals the stored one, or loading fails."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlops.forecasting.errors import BundleUnreadable
from mlops.forecasting.fitting import fit_bundle
from mlops.forecasting.serving import forecast_panel
from mlops.forecasting.storage import INDEX, load_bundle, save_bundle
from mlops.forecasting.tests.small import HELD_OUT, light_settings, session_of, small_bundle, small_panel
from mlops.forecasting.types import no_progress


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with the small bundle."""
    save_bundle(small_bundle(), tmp_path)
    return tmp_path


def rewrite(folder: Path, **changes: object) -> None:
    """Change entries of the index."""
    index = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps({**index, **changes}))


def test_a_loaded_bundle_forecasts_the_same(stored: Path) -> None:
    panel = small_panel()
    origin = session_of(panel, -1)
    before = forecast_panel(small_bundle(), panel, origin=origin)
    after = forecast_panel(load_bundle(stored), panel, origin=origin)
    assert [replace(predicted, inputs=None) for predicted in after] == [
        replace(predicted, inputs=None) for predicted in before
    ]
    assert before


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(stored: Path, tmp_path: Path) -> None:
    panel = small_panel()
    written = {}
    for seed in (3, 4):
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        through = session_of(panel, -HELD_OUT - 1)
        save_bundle(
            fit_bundle(panel, through=through, settings=light_settings(seed=seed), progress=no_progress), folder
        )
        written[seed] = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert written[3] == {file.name: file.read_bytes() for file in stored.iterdir() if file.is_file()}
    assert written[3] != written[4]


def test_no_file_can_contain_code(stored: Path) -> None:
    assert {file.suffix for file in stored.iterdir()} == {".json", ".ubj", ".safetensors"}


def test_a_missing_index_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(BundleUnreadable):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1},
        {"feature_set": "other"},
        {"horizons": [1, 5]},
        {"heads": {"up": {"members": ["os.system"], "base_rates": [], "weights": []}}},
        {"trees": {"depth": 3}},
        {"intervals": None},
    ],
)
def test_an_unknown_index_is_unreadable(stored: Path, changes: dict[str, object]) -> None:
    rewrite(stored, **changes)
    with pytest.raises(BundleUnreadable) as refused:
        load_bundle(stored)
    assert refused.value.reason


@pytest.mark.parametrize("pattern", ["up.lstm.safetensors", "up.logistic.safetensors", "up.xgboost.0of4.ubj", INDEX])
def test_damaged_bytes_are_unreadable(stored: Path, pattern: str) -> None:
    whole = (stored / pattern).read_bytes()
    (stored / pattern).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleUnreadable):
        load_bundle(stored)


@pytest.mark.parametrize("name", ["up.lstm.safetensors", "up.xgboost.1of4.ubj"])
def test_a_missing_file_is_unreadable(stored: Path, name: str) -> None:
    (stored / name).unlink()
    with pytest.raises(BundleUnreadable):
        load_bundle(stored)
