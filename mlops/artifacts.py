"""Model files: one folder per version, written atomically and verified before every use.

A folder `v3` holds `serving/`, `holdout/` and `manifest.json`, which names every file with its SHA-256. The checksum
of the version is that of the manifest, so it covers every byte and equal models have equal checksums.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from mlops.errors import ArtifactCorrupt, MlopsError

FORMAT = 1
MANIFEST = "manifest.json"
UNFINISHED = ".unfinished-"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class ArtifactUnwritable(MlopsError):
    """Model files could not be written, for example because the disk is full."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"The files of model {version} could not be written: {reason}. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored folder: its name under the artifact root and its checksum."""

    name: str
    sha256: str


def default_root() -> Path:
    """Return the folder of all model files."""
    return Path(settings.HINDCAST_MODELS.artifacts)


def write(*, root: Path, name: str, fill: Callable[[Path], None]) -> Artifact:
    """Let `fill` write files into a temporary folder, then give it its name in one step.

    Nothing with that name exists before the last step, and nothing is left when `fill` fails. A folder of the
    same name is replaced: the caller holds the naming lock, so it is a leftover. Raises ArtifactUnwritable, for example
    on a full disk.
    """
    target = _folder(root, name)
    try:
        root.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=root))
    except OSError as error:
        raise ArtifactUnwritable(name, error.strerror or type(error).__name__) from error
    try:
        fill(unfinished)
        sha256 = _write_manifest(unfinished)
        discard(root=root, name=name)
        unfinished.rename(target)
    except OSError as error:
        raise ArtifactUnwritable(name, error.strerror or type(error).__name__) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _sync(root)
    return Artifact(name=name, sha256=sha256)


def discard(*, root: Path, name: str) -> None:
    """Remove a version's folder if it exists."""
    with suppress(FileNotFoundError):
        shutil.rmtree(_folder(root, name))


def verify(*, root: Path, name: str, sha256: str) -> Path:
    """Return the folder of a version after comparing every file with the registered checksums.

    Raises ArtifactCorrupt for a missing, changed or extra file, for a symbolic link, and for an unknown format.
    """
    folder = _folder(root, name)
    try:
        manifest = (folder / MANIFEST).read_bytes()
        if hashlib.sha256(manifest).hexdigest() != sha256:
            raise ArtifactCorrupt(name, f"the checksum of {MANIFEST} differs from the registered one")
        _compare(name, folder, json.loads(manifest))
    except FileNotFoundError as error:
        raise ArtifactCorrupt(name, f"{Path(error.filename).name} is missing") from error
    except OSError as error:
        raise ArtifactCorrupt(name, f"a file cannot be read ({error.strerror})") from error
    return folder


def _folder(root: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ArtifactCorrupt(name[:32], "its artifact folder has an invalid name")
    return root / name


def _compare(name: str, folder: Path, manifest: dict[str, object]) -> None:
    if manifest.get("format") != FORMAT:
        raise ArtifactCorrupt(name, f"its format is {manifest.get('format')}, expected {FORMAT}")
    registered = manifest["files"]
    found = _digests(name, folder)
    if not isinstance(registered, dict):
        raise ArtifactCorrupt(name, f"{MANIFEST} lists no files")
    for path in sorted(registered.keys() | found.keys()):
        if path not in found:
            raise ArtifactCorrupt(name, f"{path} is missing")
        if path not in registered:
            raise ArtifactCorrupt(name, f"{path} is not in the manifest")
        if found[path] != registered[path]:
            raise ArtifactCorrupt(name, f"{path} has changed")


def _digests(name: str, folder: Path) -> dict[str, str]:
    """Return the checksum of every file below `folder` except the manifest, by its POSIX path."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ArtifactCorrupt(name, f"{path.name} is a symbolic link")
        if path.is_file() and path != folder / MANIFEST:
            digests[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def _write_manifest(folder: Path) -> str:
    files = _digests(folder.name, folder)
    manifest = json.dumps({"format": FORMAT, "files": files}, indent=1, sort_keys=True).encode()
    (folder / MANIFEST).write_bytes(manifest)
    for path in (*(folder / name for name in files), folder / MANIFEST, folder):
        _sync(path)
    folder.chmod(0o755)
    return hashlib.sha256(manifest).hexdigest()


def _sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
