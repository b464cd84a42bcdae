"""The form for a new API key."""

from datetime import datetime, timedelta
from typing import Any

from django import forms

from accounts.models import Scope

LIFETIMES = {"30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}


class ApiKeyForm(forms.Form):
    """Name, permissions and lifetime of a key."""

    name = forms.CharField(
        label="Name",
        max_length=60,
        help_text="Where you will use it, such as “notebook”.",
        error_messages={"required": "Enter a name for the key."},
    )
    read = forms.BooleanField(label="Read forecasts, prices and the track record", required=False, initial=True)
    predict = forms.BooleanField(label="Start batch jobs", required=False)
    manage = forms.BooleanField(label="Manage your keys, alerts and jobs", required=False)
    lifetime = forms.ChoiceField(label="Expires", choices=list(LIFETIMES.items()), required=False, initial="90")

    def clean(self) -> dict[str, Any]:
        """Require at least one permission."""
        cleaned = super().clean() or self.cleaned_data
        if not any(cleaned.get(scope) for scope in Scope.values):
            raise forms.ValidationError("Select at least one permission.")
        return cleaned

    @property
    def scopes(self) -> list[str]:
        """Return the selected scopes."""
        return [scope for scope in Scope.values if self.cleaned_data[scope]]

    def expires_at(self, now: datetime) -> datetime | None:
        """Return the expiry; None for never."""
        days = self.cleaned_data["lifetime"]
        return now + timedelta(days=int(days)) if days else None
