"""The forms of sign-in in the words of this site: labels, what a password must be, no label twice."""

from typing import Any

from allauth.account import forms as vendor
from allauth.socialaccount.forms import SignupForm as VouchedSignupForm
from django import forms

from accounts.forms.account import ChangeEmailForm

LABELS = {
    "login": "E-mail address",
    "email": "E-mail address",
    "remember": "Stay signed in on this device",
    "oldpassword": "Current password",
    "password2": "The same password again",
}
MISSING = {
    "login": "Enter your e-mail address.",
    "email": "Enter your e-mail address.",
    "password": "Enter your password.",
    "oldpassword": "Enter your current password.",
    "password1": "Enter a password.",
    "password2": "Enter the password once more.",
}
PASSWORD_RULES = "At least 8 characters, not digits only, not a common password and not like your address."


class InPlainWords(forms.Form):
    """Goes before one of the vendor's forms."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = LABELS.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)
            if name in MISSING:
                field.error_messages["required"] = MISSING[name]
            if name in ("login", "email"):
                field.error_messages["invalid"] = "Enter an e-mail address such as name@example.com."
        if "password1" in self.fields:
            self.fields["password1"].help_text = PASSWORD_RULES
            self.fields["password1"].label = "Password" if "email" in self.fields else "New password"


class SignInForm(InPlainWords, vendor.LoginForm):
    """Signs a person in."""


class SignUpForm(InPlainWords, vendor.SignupForm):
    """Makes an account."""


class VouchedSignUpForm(InPlainWords, VouchedSignupForm):
    """Makes an account for somebody for whom Google or GitHub vouches."""


class AnotherEmailForm(InPlainWords, ChangeEmailForm):
    """Changes the address."""


class NewPasswordForm(InPlainWords, vendor.ChangePasswordForm):
    """Changes the password."""


class FirstPasswordForm(InPlainWords, vendor.SetPasswordForm):
    """Sets one where there was none."""


class ForgottenPasswordForm(InPlainWords, vendor.ResetPasswordForm):
    """Asks for the link that resets the password."""


class ResetPasswordForm(InPlainWords, vendor.ResetPasswordKeyForm):
    """Sets the password of whoever followed that link."""


class PasswordAgainForm(InPlainWords, vendor.ReauthenticateForm):
    """Asks for the password before something that decides who can sign in."""
