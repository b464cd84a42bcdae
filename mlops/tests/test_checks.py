"""System checks of the artifact folder and the champion."""

from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from mlops.checks import artifact_folder_is_writable, champion_exists
from mlops.tests.factories import model_version


def test_a_folder_that_can_be_created_passes(artifact_root: Path) -> None:
    assert artifact_folder_is_writable(None) == []
    assert not artifact_root.exists()


def test_a_file_in_the_place_of_the_folder_is_an_error_with_a_hint(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.HINDCAST_MODELS = replace(settings.HINDCAST_MODELS, artifacts=tmp_path / "file" / "artifacts")
    (warning,) = artifact_folder_is_writable(None)
    assert warning.id == "mlops.E001"
    assert "HINDCAST_ARTIFACTS_DIR" in str(warning.hint)


@pytest.mark.django_db
def test_no_champion_is_a_warning_of_the_database_checks_only() -> None:
    assert champion_exists(None) == []
    (warning,) = champion_exists(None, databases=["default"])
    assert warning.id == "mlops.W001"
    model_version(stage="champion")
    assert champion_exists(None, databases=["default"]) == []
