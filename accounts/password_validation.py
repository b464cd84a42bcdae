"""Password validators of pages, admin and API, besides Django's own."""

import re

from django.core.exceptions import ValidationError

MAX_PASSWORD_CHARACTERS = 128
MIN_OTHER_CHARACTERS = 8
SITE_WORDS = re.compile(r"hindcast|forecast|stocks?", re.IGNORECASE)


class MaximumLengthValidator:
    """Refuses passwords longer than the API accepts."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError for a password that is too long."""
        if len(password) > MAX_PASSWORD_CHARACTERS:
            raise ValidationError(f"This password is too long. Use at most {MAX_PASSWORD_CHARACTERS} characters.")

    def get_help_text(self) -> str:
        """Return the rule for forms."""
        return f"Your password may have at most {MAX_PASSWORD_CHARACTERS} characters."


class SiteWordValidator:
    """Refuses passwords that are little more than words of this site."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError if fewer than 8 characters remain without those words."""
        if SITE_WORDS.search(password) and len(SITE_WORDS.sub("", password)) < MIN_OTHER_CHARACTERS:
            raise ValidationError("This password is too easy to guess: it consists mostly of words of this site.")

    def get_help_text(self) -> str:
        """Return the rule for forms."""
        return "Your password must not consist mostly of words of this site, such as hindcast or forecast."
