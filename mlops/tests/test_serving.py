"""Forecasting with a registered version: files are verified, then cached in memory."""

from pathlib import Path

import pytest

from mlops import artifacts
from mlops.errors import ArtifactCorrupt
from mlops.forecasting.bundle import Bundle
from mlops.forecasting.serving import forecast_panel
from mlops.forecasting.storage import save_bundle
from mlops.forecasting.types import Panel
from mlops.models import ModelVersion
from mlops.services.serving import bundle_of, forecasts_from
from mlops.tests.factories import model_version, version_with_files

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_memory")]


@pytest.fixture
def version(artifact_root: Path, bundle: Bundle) -> ModelVersion:
    """A registered version both of whose fits are the small bundle."""

    def fill(folder: Path) -> None:
        for name in ("serving", "holdout"):
            (folder / name).mkdir()
            save_bundle(bundle, folder / name)

    written = artifacts.write(root=artifact_root, name="v1", fill=fill)
    return model_version("v1", artifact_sha256=written.sha256)


def test_forecasts_are_those_of_the_stored_fit(version: ModelVersion, bundle: Bundle, market: Panel) -> None:
    origin = market.sessions[-1].astype(object)
    served = forecasts_from(version=version, panel=market, origin=origin)
    direct = forecast_panel(bundle, market, origin=origin)
    assert len(served) == 4 * 4
    assert [(f.symbol, f.horizon_sessions, f.status, f.predicted_price, f.intervals) for f in served] == [
        (f.symbol, f.horizon_sessions, f.status, f.predicted_price, f.intervals) for f in direct
    ]


def test_files_are_read_once_a_process_and_fit(version: ModelVersion) -> None:
    assert bundle_of(version, "serving") is bundle_of(version, "serving")
    assert bundle_of(version, "serving") is not bundle_of(version, "holdout")


def test_a_version_registered_anew_is_read_anew(version: ModelVersion) -> None:
    first = bundle_of(version, "serving")
    version.artifact_sha256 = "f" * 64
    with pytest.raises(ArtifactCorrupt, match="differs from the registered one"):
        bundle_of(version, "serving")
    version.refresh_from_db()
    assert bundle_of(version, "serving") is first


def test_no_more_than_four_models_stay_in_memory(version: ModelVersion, artifact_root: Path) -> None:
    first = bundle_of(version, "serving")
    for name in ("v2", "v3"):
        copy = model_version(name, artifact_path="v1", artifact_sha256=version.artifact_sha256)
        bundle_of(copy, "serving")
        bundle_of(copy, "holdout")
    assert bundle_of(version, "serving") is not first


@pytest.mark.parametrize("damage", ["changed", "missing", "extra"])
def test_damaged_files_are_a_corrupt_artifact_and_not_cached(
    version: ModelVersion, artifact_root: Path, market: Panel, damage: str
) -> None:
    index = artifact_root / "v1" / "serving" / "bundle.json"
    whole = index.read_bytes()
    if damage == "changed":
        index.write_bytes(whole.replace(b'"seed": 7', b'"seed": 8'))
    elif damage == "missing":
        index.unlink()
    else:
        (index.parent / "more.json").write_text("{}")
    origin = market.sessions[-1].astype(object)
    with pytest.raises(ArtifactCorrupt) as caught:
        forecasts_from(version=version, panel=market, origin=origin)
    assert caught.value.version == "v1"
    (index.parent / "more.json").unlink(missing_ok=True)
    index.write_bytes(whole)
    assert len(forecasts_from(version=version, panel=market, origin=origin)) == 16


def test_intact_files_without_a_model_are_a_corrupt_artifact(artifact_root: Path) -> None:
    with pytest.raises(ArtifactCorrupt, match="model v1 cannot be used"):
        bundle_of(version_with_files("v1"), "serving")
