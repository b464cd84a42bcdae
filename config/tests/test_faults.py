"""Full disks and private files: each fault ends in a sentence and leaves nothing half done."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from django.db import OperationalError
from psycopg.errors import DiskFull

from config.devserver.paths import ROOT
from config.devserver.refusals import refused

BACKEND = "config.private_mail.PrivateFileBackend"
LOGS_TO_A_FULL_DISK = """
import sys, pathlib
import django
django.setup()
import structlog
structlog.get_logger("hindcast.test").warning("lost")
pathlib.Path(sys.argv[1]).write_text("went on")
"""


def test_mail_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    old_mask = os.umask(0)
    try:
        connection = get_connection(BACKEND, file_path=str(folder))
        EmailMessage("Sign in", "a link", "hindcast@localhost", ["ada@example.org"], connection=connection).send()
    finally:
        os.umask(old_mask)
    (mail,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert mail.stat().st_mode & 0o777 == 0o600
    assert "a link" in mail.read_text()


def test_a_full_disk_is_one_sentence_of_any_command() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert (
        refused("ingest", error) == "The disk is full. /data/x could not be written. Free space and run `ingest` again."
    )
    wrapped = OperationalError("could not extend file")
    wrapped.__cause__ = DiskFull("could not extend file")
    assert refused("ingest", wrapped) == "The disk of the database is full. Free space and run `ingest` again."
    assert refused("ingest", OSError(errno.EACCES, "Permission denied")) is None
    assert refused("ingest", OperationalError("the server closed the connection")) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device of a full disk")
def test_a_process_whose_log_is_full_goes_on(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with open("/dev/full", "wb") as full:
        subprocess.run(
            [sys.executable, "-c", LOGS_TO_A_FULL_DISK, str(mark)], cwd=ROOT, check=False, stdout=full, stderr=full,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert mark.read_text() == "went on"
