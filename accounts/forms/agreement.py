"""The box by which people agree. Sign-up forms inherit it, so no form of sign-in's own may be imported here."""

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


def _words() -> str:
    return format_html(
        'I accept the <a href="{}">terms of use</a> and have read the <a href="{}">disclaimer</a>.',
        reverse_lazy("accounts:terms"),
        reverse_lazy("accounts:disclaimer"),
    )


class AgreementFields(forms.Form):
    """The box that has to be ticked; sign-up forms inherit it."""

    field_order = ("email", "password1", "password2", "agreement")
    agreement = forms.BooleanField(
        error_messages={"required": "Without your agreement we cannot make an account for you."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agreement"].label = lazystr(_words())

    def signup(self, request: HttpRequest, user: User) -> None:
        """Record the agreement of somebody whose account was just made."""
        accept_documents(user=user, now=utc_now())
        record(kind=AuditEvent.Kind.SIGNED_UP, user=user, now=utc_now())
