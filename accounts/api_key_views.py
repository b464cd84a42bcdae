"""The pages on which people make, see and revoke API keys, and see what they used."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.errors import KeyUnknown, TooManyKeys
from accounts.forms.api_key import ApiKeyForm
from accounts.models import User
from accounts.selectors import keys_of
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.usage_selectors import usage_rows, used_on
from accounts.views import authenticated_user
from accounts.wall_clock import utc_now

SHOWN_DAYS = 30


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def keys(request: HttpRequest) -> HttpResponse:
    """All keys and the form for another one; a key that was just made is shown this once."""
    user = authenticated_user(request)
    form = ApiKeyForm(request.POST if request.method == "POST" else None)
    new_key = _made(user, form) if request.method == "POST" and form.is_valid() else None
    now = utc_now()
    shown = [{"row": key, "state": key.state_at(now)} for key in keys_of(user)]
    context = {"form": ApiKeyForm() if new_key else form, "keys": shown, "new_key": new_key, "plan": user.plan}
    return render(request, "accounts/keys.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """End a key; what belongs to others is not found."""
    try:
        key = revoke_api_key(owner=authenticated_user(request), key_id=key_id, now=utc_now())
    except KeyUnknown as error:
        raise Http404(str(error)) from error
    messages.success(request, f"The key {key.prefix}… ({key.name}) is revoked; programs that use it are refused.")
    return redirect("accounts:keys")


@require_GET
@never_cache
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """Calls of today against the plan's limits, and of the last days."""
    user, today = authenticated_user(request), utc_now().date()
    context = {
        "plan": user.plan,
        "today": used_on(user, today),
        "rows": usage_rows(user, today=today, days=SHOWN_DAYS),
        "shown_days": SHOWN_DAYS,
    }
    return render(request, "accounts/usage.html", context)


def _made(user: User, form: ApiKeyForm) -> str | None:
    """The text of the new key; None, with an error in the form, when there is no room for one."""
    now = utc_now()
    asked = {"name": form.cleaned_data["name"], "scopes": form.scopes, "expires_at": form.expires_at(now)}
    try:
        return create_api_key(owner=user, now=now, **asked)[1]
    except TooManyKeys as error:
        form.add_error(None, str(error))
        return None
