"""The forms by which people change or delete their account."""

from typing import Any

from allauth.account.forms import AddEmailForm
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.models import EmailAddress
from django import forms
from django.http import HttpRequest

from accounts.models import User


class ChangeEmailForm(AddEmailForm):
    """Asks for another address; the old one serves until the new one is proven, whether it was proven itself or not."""

    def save(self, request: HttpRequest) -> EmailAddress:
        """Forget an address asked for earlier, and send the link to the new one."""
        EmailAddress.objects.filter(user=self.user, verified=False).exclude(email__iexact=self.user.email).delete()
        address = EmailAddress.objects.create(user=self.user, email=self.cleaned_data["email"])
        send_verification_email_to_address(request, address)
        return address


class DeletionForm(forms.Form):
    """Asks for the password, where there is one, and for the word that nobody types by mistake."""

    password = forms.CharField(
        label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "Enter your password."},
    )
    understood = forms.BooleanField(
        label="I understand that this cannot be undone.",
        error_messages={"required": "Tick the box if you want the account to be deleted."},
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        """The password, if it is the right one."""
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError("That is not your password. Nothing was deleted.")
        return password
