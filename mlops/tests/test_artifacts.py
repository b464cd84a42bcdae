"""The files of a version: whole or absent, and never used when they are not the registered ones."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from mlops.artifacts import MANIFEST, Artifact, ArtifactUnwritable, discard, verify, write
from mlops.errors import ArtifactCorrupt
from mlops.tests.factories import some_files


@pytest.fixture
def written(tmp_path: Path) -> Artifact:
    return write(root=tmp_path, name="v1", fill=some_files)


def test_written_files_are_read_back_intact(tmp_path: Path, written: Artifact) -> None:
    folder = verify(root=tmp_path, name="v1", sha256=written.sha256)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "holdout/model.json",
        MANIFEST,
        "serving/model.json",
    ]


def test_the_checksum_is_that_of_the_manifest_and_the_manifest_names_every_file(
    tmp_path: Path, written: Artifact
) -> None:
    manifest = (tmp_path / "v1" / MANIFEST).read_bytes()
    assert written == Artifact(name="v1", sha256=hashlib.sha256(manifest).hexdigest())
    assert json.loads(manifest) == {
        "format": 1,
        "files": {
            "holdout/model.json": hashlib.sha256(b'{"fit": "holdout"}').hexdigest(),
            "serving/model.json": hashlib.sha256(b'{"fit": "serving"}').hexdigest(),
        },
    }


def test_equal_files_have_equal_checksums_under_any_name(tmp_path: Path, written: Artifact) -> None:
    assert write(root=tmp_path, name="v2", fill=some_files).sha256 == written.sha256


def test_a_folder_that_a_crash_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "half.ubj").write_bytes(b"half")
    written = write(root=tmp_path, name="v1", fill=some_files)
    assert verify(root=tmp_path, name="v1", sha256=written.sha256) == tmp_path / "v1"


def test_discarding_twice_equals_discarding_once(tmp_path: Path, written: Artifact) -> None:
    discard(root=tmp_path, name="v1")
    discard(root=tmp_path, name="v1")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_named(tmp_path: Path, written: Artifact) -> None:
    (tmp_path / "v1" / "serving" / "model.json").write_text('{"fit": "other"}')
    with pytest.raises(ArtifactCorrupt, match=r"serving/model\.json has changed") as caught:
        verify(root=tmp_path, name="v1", sha256=written.sha256)
    assert caught.value.version == "v1"


def test_a_missing_file_is_named(tmp_path: Path, written: Artifact) -> None:
    (tmp_path / "v1" / "holdout" / "model.json").unlink()
    with pytest.raises(ArtifactCorrupt, match=r"holdout/model\.json is missing"):
        verify(root=tmp_path, name="v1", sha256=written.sha256)


def test_an_extra_file_is_named(tmp_path: Path, written: Artifact) -> None:
    (tmp_path / "v1" / "serving" / "more.ubj").write_bytes(b"more")
    with pytest.raises(ArtifactCorrupt, match=r"serving/more\.ubj is not in the manifest"):
        verify(root=tmp_path, name="v1", sha256=written.sha256)


def test_a_link_is_refused_even_to_equal_content(tmp_path: Path, written: Artifact) -> None:
    model = tmp_path / "v1" / "serving" / "model.json"
    model.rename(tmp_path / "elsewhere.json")
    model.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ArtifactCorrupt, match="is a symbolic link"):
        verify(root=tmp_path, name="v1", sha256=written.sha256)


def test_a_rewritten_manifest_is_refused(tmp_path: Path, written: Artifact) -> None:
    manifest = tmp_path / "v1" / MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    with pytest.raises(ArtifactCorrupt, match="differs from the registered one"):
        verify(root=tmp_path, name="v1", sha256=written.sha256)


def test_an_unknown_format_is_refused(tmp_path: Path, written: Artifact) -> None:
    newer = json.dumps({"format": 2, "files": {}}).encode()
    (tmp_path / "v1" / MANIFEST).write_bytes(newer)
    with pytest.raises(ArtifactCorrupt, match="its format is 2, expected 1"):
        verify(root=tmp_path, name="v1", sha256=hashlib.sha256(newer).hexdigest())


def test_a_version_without_a_folder_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(ArtifactCorrupt, match=r"manifest\.json is missing"):
        verify(root=tmp_path, name="v1", sha256="0" * 64)


@pytest.mark.parametrize("name", ["../v1", "/etc", "v1/../../etc", "", ".", "..", "v1/serving", "V1", "v1\x00", "v1\n"])
def test_no_name_leads_out_of_the_artifact_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "artifacts"
    for use in (
        lambda: verify(root=root, name=name, sha256="0" * 64),
        lambda: write(root=root, name=name, fill=some_files),
        lambda: discard(root=root, name=name),
    ):
        with pytest.raises(ArtifactCorrupt, match="its artifact folder has an invalid name"):
            use()
    assert [path.name for path in tmp_path.rglob("*")] in ([], ["artifacts"])


def test_a_file_instead_of_the_folder_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "v1").write_text("not a folder")
    with pytest.raises(ArtifactCorrupt, match="cannot be read"):
        verify(root=tmp_path, name="v1", sha256="0" * 64)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "part").write_bytes(b"x")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        ArtifactUnwritable, match=r"^The files of model v1 could not be written: No space left on device"
    ):
        write(root=tmp_path, name="v1", fill=fill)
    assert list(tmp_path.iterdir()) == []
