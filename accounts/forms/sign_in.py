"""Sign-in forms with the labels, messages and password rules of this site."""

from typing import Any

from allauth.account import forms as vendor
from allauth.socialaccount.forms import SignupForm as SocialSignupForm
from django import forms
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from accounts.forms.account import ChangeEmailForm

LABELS = {
    "login": "E-mail address",
    "email": "E-mail address",
    "remember": "Stay signed in on this device",
    "oldpassword": "Current password",
    "password2": "Confirm password",
}
REQUIRED_MESSAGES = {
    "login": "Enter your e-mail address.",
    "email": "Enter your e-mail address.",
    "password": "Enter your password.",
    "oldpassword": "Enter your current password.",
    "password1": "Enter a password.",
    "password2": "Enter the password again.",
}
PASSWORD_RULES = "At least 8 characters. Avoid common passwords, digits only, or your e-mail address."  # noqa: S105  # a help text


class SiteTextsMixin(forms.Form):
    """Replaces labels and messages; precedes an allauth form in the bases."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = LABELS.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)
            if name in REQUIRED_MESSAGES:
                field.error_messages["required"] = REQUIRED_MESSAGES[name]
            if name in ("login", "email"):
                field.error_messages["invalid"] = "Enter an e-mail address such as name@example.com."
        if "password1" in self.fields:
            self.fields["password1"].help_text = PASSWORD_RULES
            self.fields["password1"].label = "Password" if "email" in self.fields else "New password"


class SignInForm(SiteTextsMixin, vendor.LoginForm):
    """Sign in."""


class SignUpForm(SiteTextsMixin, vendor.SignupForm):
    """Create an account."""

    def try_save(self, request: HttpRequest) -> Any:
        """Create the account, or send an e-mail to the owner of the existing one after as much work."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)


class SocialSignUpForm(SiteTextsMixin, SocialSignupForm):
    """Create an account for a user signed in with Google or GitHub."""


class AnotherEmailForm(SiteTextsMixin, ChangeEmailForm):
    """Change the e-mail address."""


class NewPasswordForm(SiteTextsMixin, vendor.ChangePasswordForm):
    """Change the password."""


class FirstPasswordForm(SiteTextsMixin, vendor.SetPasswordForm):
    """Set the first password of an account without one."""


class ForgottenPasswordForm(SiteTextsMixin, vendor.ResetPasswordForm):
    """Request a password reset link."""


class ResetPasswordForm(SiteTextsMixin, vendor.ResetPasswordKeyForm):
    """Sets a new password for the user of the link."""


class PasswordAgainForm(SiteTextsMixin, vendor.ReauthenticateForm):
    """Asks for the password before something that decides who can sign in."""
