"""The pages of an account that sign-in itself does not bring: settings, agreement, texts, deletion."""

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
from accounts.selectors import acceptances_of, recent_events, vendors_of
from accounts.services.agreements import accept_documents
from accounts.services.deletion import delete_account
from accounts.wall_clock import utc_now

RECENT_SIGN_IN_S = 600


@require_GET
@never_cache
@login_required
def account_settings(request: HttpRequest) -> HttpResponse:
    """All that a person can see and change about the account."""
    user = authenticated_user(request)
    context = {"events": recent_events(user), "acceptances": acceptances_of(user), "vendors": vendors_of(user)}
    return render(request, "accounts/settings.html", context)


@require_http_methods(["GET", "POST"])
@login_stage_required(stage=AgreementStage.key, redirect_urlname="account_login")
def agreement(request: HttpRequest) -> HttpResponse:
    """Asks a person who is about to be signed in to accept what is new; without it nobody is signed in."""
    stage: AgreementStage = request._login_stage  # type: ignore[attr-defined]  # put there by the decorator
    form = AgreementFields(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        accept_documents(user=stage.login.user, now=utc_now())
        answer: HttpResponse = stage.exit()
        return answer
    context = {"form": form, "is_new": not acceptances_of(stage.login.user).exists()}
    return render(request, "accounts/agreement.html", context, status=422 if form.errors else 200)


@require_GET
def text(request: HttpRequest, slug: str) -> HttpResponse:
    """One of the texts, with the day from which it holds."""
    document = LEGAL_DOCUMENTS[slug]
    return render(request, document.template, {"document": document})


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def delete(request: HttpRequest) -> HttpResponse:
    """Tells what goes and what stays, and deletes the account of whoever proves to be its owner."""
    user = authenticated_user(request)
    if not user.has_usable_password() and not signed_in_lately(request):
        messages.info(request, "Sign in once more, so that we know it is you; then delete the account.")
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
            messages.success(request, "Your account is deleted, with everything that was yours.")
            return redirect("predictions:home")
    return render(request, "accounts/delete.html", {"form": form}, status=422 if form.errors else 200)


def authenticated_user(request: HttpRequest) -> User:
    """Who is signed in; raises BadRequest for nobody."""
    if not isinstance(request.user, User):
        raise BadRequest("Sign in first.")
    return request.user


def signed_in_lately(request: HttpRequest) -> bool:
    """Whether this session was opened in the last ten minutes."""
    records = get_authentication_records(request, authenticated_user(request))
    return bool(records) and time.time() - float(records[-1]["at"]) < RECENT_SIGN_IN_S
