"""The form that makes an API key."""

from datetime import datetime, timedelta

from django import forms

from accounts.models import ApiKey, Scope

LIVES = (("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked"))


class KeyForm(forms.Form):
    """A name to know the key by, what it may do, and for how long."""

    name = forms.CharField(
        max_length=ApiKey._meta.get_field("name").max_length,
        help_text="To know it by, for example the program that will use it.",
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=Scope.choices,
        initial=[Scope.READ, Scope.PREDICT],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that the key may do."},
    )
    days = forms.ChoiceField(label="It is good for", choices=LIVES, required=False, initial="365")

    def expires_at(self, now: datetime) -> datetime | None:
        """When the key ends by itself; None for never. Call it on a valid form only."""
        days = self.cleaned_data["days"]
        return now + timedelta(days=int(days)) if days else None
