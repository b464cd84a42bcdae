"""Forms that change or delete an account."""

from typing import Any

from allauth.account.forms import AddEmailForm
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.models import EmailAddress
from django import forms
from django.http import HttpRequest

from accounts.models import User


class ChangeEmailForm(AddEmailForm):
    """Request a new address; the old one stays active until the new one is confirmed."""

    def save(self, request: HttpRequest) -> EmailAddress:
        """Drop an earlier request and send a link to the new address."""
        EmailAddress.objects.filter(user=self.user, verified=False).exclude(email__iexact=self.user.email).delete()
        address = EmailAddress.objects.create(user=self.user, email=self.cleaned_data["email"])
        send_verification_email_to_address(request, address)
        return address


class DeletionForm(forms.Form):
    """Confirm a deletion with a checkbox and, if the account has one, the password."""

    password = forms.CharField(
        label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "Enter your password."},
    )
    confirmed = forms.BooleanField(
        label="I understand that this cannot be undone.",
        error_messages={"required": "Check this box to delete the account."},
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        """Check the password."""
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError("Incorrect password. Nothing was deleted.")
        return password
