"""Password validators of pages, admin and API, besides Django's own."""

from django.core.exceptions import ValidationError

MAX_PASSWORD_CHARACTERS = 128


class MaximumLengthValidator:
    """Refuses passwords longer than the API accepts."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError for a password that is too long."""
        if len(password) > MAX_PASSWORD_CHARACTERS:
            raise ValidationError(f"This password is too long. Use at most {MAX_PASSWORD_CHARACTERS} characters.")

    def get_help_text(self) -> str:
        """Return the rule for forms."""
        return f"Your password may have at most {MAX_PASSWORD_CHARACTERS} characters."
