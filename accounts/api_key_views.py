"""Pages of API keys and API usage."""

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
from accounts.usage_selectors import calls_left, usage_on, usage_rows
from accounts.views import authenticated_user
from accounts.wall_clock import utc_now

USAGE_DAYS = 30


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def keys(request: HttpRequest) -> HttpResponse:
    """List the keys with the form for another one; a new key is shown once."""
    user = authenticated_user(request)
    form = ApiKeyForm(request.POST if request.method == "POST" else None)
    new_key = _create_key(user, form) if request.method == "POST" and form.is_valid() else None
    now = utc_now()
    rows = [{"row": key, "state": key.state_at(now)} for key in keys_of(user)]
    context = {"form": ApiKeyForm() if new_key else form, "keys": rows, "new_key": new_key, "plan": user.plan}
    return render(request, "accounts/keys.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """Revoke a key; keys of other accounts are not found."""
    try:
        key = revoke_api_key(owner=authenticated_user(request), key_id=key_id, now=utc_now())
    except KeyUnknown as error:
        raise Http404(str(error)) from error
    messages.success(request, f"Key {key.prefix}… ({key.name}) is revoked and no longer works.")
    return redirect("accounts:keys")


@require_GET
@never_cache
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """Show today's calls with the plan's limits, and the calls of the last days."""
    user, today = authenticated_user(request), utc_now().date()
    used = usage_on(user, today)
    context = {
        "plan": user.plan,
        "today": used,
        "left": calls_left(user, used),
        "rows": usage_rows(user, today=today, days=USAGE_DAYS),
        "shown_days": USAGE_DAYS,
    }
    return render(request, "accounts/usage.html", context)


def _create_key(user: User, form: ApiKeyForm) -> str | None:
    """Return the text of the new key; None, with a form error, if a limit is reached."""
    now = utc_now()
    fields = {"name": form.cleaned_data["name"], "scopes": form.scopes, "expires_at": form.expires_at(now)}
    try:
        return create_api_key(owner=user, now=now, **fields)[1]
    except TooManyKeys as error:
        form.add_error(None, str(error))
        return None
