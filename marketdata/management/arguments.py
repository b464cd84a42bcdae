"""Values of command-line options; a bad one is one sentence with argparse's exit status."""

from datetime import date

from django.core.management.base import CommandError

BAD_ARGUMENTS = 2
LARGEST_WHOLE_NUMBER = 2**63 - 1


def read_date(option: str, text: str) -> date:
    """Return the date that the option names."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(
            f"{option} must be a date such as 2023-09-21, not {text[:32]!r}.", returncode=BAD_ARGUMENTS
        ) from error


def read_whole_number(option: str, text: str | None, default: int, *, least: int = 0) -> int:
    """Return the number; the default if the option was not given."""
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= LARGEST_WHOLE_NUMBER:
        raise CommandError(
            f"{option} must be a whole number from {least} to {LARGEST_WHOLE_NUMBER}, not {text[:32]!r}.",
            returncode=BAD_ARGUMENTS,
        )
    return int(text)
