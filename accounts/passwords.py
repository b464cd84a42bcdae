"""What pages, admin and API ask of a new password alike, besides Django's own rules."""

from django.core.exceptions import ValidationError

LONGEST_PASSWORD = 128


class LongestPassword:
    """Refuses a password that could not be used everywhere; the API reads no longer ones."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError for one that is too long."""
        if len(password) > LONGEST_PASSWORD:
            raise ValidationError(f"This password is too long: it may have {LONGEST_PASSWORD} characters.")

    def get_help_text(self) -> str:
        """What forms say."""
        return f"Your password may have at most {LONGEST_PASSWORD} characters."
