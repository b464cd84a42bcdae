"""The form for a new API key."""

from datetime import datetime, timedelta
from typing import Any

from django import forms

from accounts.models import Scope

LIVES = {"30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}


class ApiKeyForm(forms.Form):
    """A name, what the key may do, and when it ends."""

    name = forms.CharField(
        label="Name",
        max_length=60,
        help_text="Where you will use it, such as “notebook”.",
        error_messages={"required": "Give the key a name."},
    )
    read = forms.BooleanField(label="Read forecasts, prices and the record", required=False, initial=True)
    predict = forms.BooleanField(label="Start computations, such as batches", required=False)
    manage = forms.BooleanField(label="Manage your keys, alerts and jobs", required=False)
    life = forms.ChoiceField(label="Ends", choices=list(LIVES.items()), required=False, initial="90")

    def clean(self) -> dict[str, Any]:
        """A key that may do nothing is of no use."""
        cleaned = super().clean() or self.cleaned_data
        if not any(cleaned.get(scope) for scope in Scope.values):
            raise forms.ValidationError("Say what the key may do: tick at least one box.")
        return cleaned

    @property
    def scopes(self) -> list[str]:
        """What was ticked."""
        return [scope for scope in Scope.values if self.cleaned_data[scope]]

    def expires_at(self, now: datetime) -> datetime | None:
        """When the key ends; None for never."""
        days = self.cleaned_data["life"]
        return now + timedelta(days=int(days)) if days else None
