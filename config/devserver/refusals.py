"""Sentences for errors that any management command can meet: a full disk, a missing training library."""

import errno

from config.devserver.training_libraries import training_refusal

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# PostgreSQL's codes of class 53, insufficient resources.
DISK_FULL_CODE = "53100"


def refused(command: str, error: BaseException) -> str | None:
    """Return the sentence for an expected error of a command; None for any other error."""
    if isinstance(error, ModuleNotFoundError):
        return training_refusal(command, error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            place = f" {cause.filename} could not be written." if cause.filename else ""
            return f"The disk is full.{place} Free space and run `{command}` again."
        if getattr(cause, "sqlstate", None) == DISK_FULL_CODE:
            return f"The disk of the database is full. Free space and run `{command}` again."
        cause = cause.__cause__ or cause.__context__
    return None
