"""Account pages besides those of allauth: settings, agreement, legal documents, deletion."""

import time

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.adapter import AgreementStage
from accounts.errors import LastAdministrator
from accounts.forms.account import DeletionForm
from accounts.forms.agreement import AgreementFields
from accounts.legal_documents import LEGAL_DOCUMENTS
from accounts.models import User
from accounts.selectors import acceptances_of, recent_events, social_accounts_of
from accounts.services.agreements import accept_documents
from accounts.services.deletion import delete_account
from accounts.wall_clock import utc_now

RECENT_SIGN_IN_S = 600


@require_GET
@never_cache
@login_required
def account_settings(request: HttpRequest) -> HttpResponse:
    """Show the account with its connected accounts, acceptances and recent activity."""
    user = authenticated_user(request)
    context = {"events": recent_events(user), "acceptances": acceptances_of(user), "vendors": social_accounts_of(user)}
    return render(request, "accounts/settings.html", context)


@require_http_methods(["GET", "POST"])
@login_stage_required(stage=AgreementStage.key, redirect_urlname="account_login")
def agreement(request: HttpRequest) -> HttpResponse:
    """Require acceptance of the current documents before completing a sign-in."""
    stage: AgreementStage = request._login_stage  # type: ignore[attr-defined]  # set by the decorator
    form = AgreementFields(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        accept_documents(user=stage.login.user, now=utc_now())
        response: HttpResponse = stage.exit()
        return response
    context = {"form": form, "is_new": not acceptances_of(stage.login.user).exists()}
    return render(request, "accounts/agreement.html", context, status=422 if form.errors else 200)


@require_GET
def text(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a legal document."""
    document = LEGAL_DOCUMENTS[slug]
    return render(request, document.template, {"document": document})


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def delete(request: HttpRequest) -> HttpResponse:
    """Explain and perform the deletion of the account, after its password or a recent sign-in."""
    user = authenticated_user(request)
    if not user.has_usable_password() and not has_recent_sign_in(request):
        messages.info(request, "Please sign in again to confirm that it is you, then delete the account.")
        logout(request)
        return HttpResponseRedirect(f"{reverse('account_login')}?next={reverse('accounts:delete')}")
    form = DeletionForm(request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            delete_account(user=user, now=utc_now())
        except LastAdministrator as error:
            form.add_error(None, str(error))
        else:
            logout(request)
            messages.success(request, "Your account and your data have been deleted.")
            return redirect("predictions:home")
    return render(request, "accounts/delete.html", {"form": form}, status=422 if form.errors else 200)


def authenticated_user(request: HttpRequest) -> User:
    """Return the signed-in user. Raises BadRequest for anonymous requests."""
    if not isinstance(request.user, User):
        raise BadRequest("Sign in first.")
    return request.user


def has_recent_sign_in(request: HttpRequest) -> bool:
    """Return whether this session signed in within the last ten minutes."""
    records = get_authentication_records(request, authenticated_user(request))
    return bool(records) and time.time() - float(records[-1]["at"]) < RECENT_SIGN_IN_S
