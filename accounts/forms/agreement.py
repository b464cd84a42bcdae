"""Agreement checkbox. allauth's sign-up forms inherit it, so this module must not import allauth forms."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.functional import lazystr
from django.utils.html import format_html

from accounts.models import AuditEvent, User
from accounts.services.agreements import accept_documents
from accounts.services.audit import record
from accounts.wall_clock import utc_now


def _label() -> str:
    return format_html(
        'I accept the <a href="{}">terms of use</a> and have read the <a href="{}">disclaimer</a>.',
        reverse_lazy("accounts:terms"),
        reverse_lazy("accounts:disclaimer"),
    )


class AgreementFields(forms.Form):
    """Required agreement checkbox; sign-up forms inherit it."""

    field_order = ("email", "password1", "password2", "agreement")
    agreement = forms.BooleanField(error_messages={"required": "Accept the terms to create an account."})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agreement"].label = lazystr(_label())

    def signup(self, request: HttpRequest, user: User) -> None:
        """Record the agreement of a new user."""
        accept_documents(user=user, now=utc_now())
        record(kind=AuditEvent.Kind.SIGNED_UP, user=user, now=utc_now())
