"""Pages for creating and deleting alert rules."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_ratelimit.decorators import ratelimit

from accounts.models import User
from alerts.errors import TooManyRules
from alerts.forms import RuleForm
from alerts.models import Rule
from alerts.selectors import alerts_of, rules_of
from alerts.services.rules import create_rule, delete_rule
from marketdata import clock
from predictions.conf import HORIZONS

CHANGES_PER_MINUTE = "30/m"


@login_required
@require_http_methods(["GET", "POST"])
@ratelimit(key="user", rate=CHANGES_PER_MINUTE, method="POST", block=False)
def rule_list(request: HttpRequest) -> HttpResponse:
    """List the user's rules and latest alerts, with the form that adds a rule."""
    form = RuleForm(request.POST or None, initial=_initial_values(request))
    if request.method == "POST" and _create_from(request, form):
        return redirect("alerts:list")
    context = {"form": form, "rules": rules_of(_user(request)), "alerts": alerts_of(_user(request))}
    return render(request, "alerts/list.html", context, status=422 if form.errors else 200)


@require_GET
def rule_form(request: HttpRequest) -> HttpResponse:
    """Render the form as a fragment for a stock page, or a sign-in link for anonymous visitors."""
    initial = _initial_values(request)
    return render(request, "alerts/_stock_form.html", {"form": RuleForm(initial=initial), **initial})


@login_required
@require_POST
def rule_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete one of the user's own rules; rules of others answer 404."""
    rule = get_object_or_404(Rule, pk=pk, user=_user(request))
    delete_rule(rule=rule)
    messages.success(request, f"Alert deleted: {rule.instrument.symbol} {rule.phrase}.")
    return redirect("alerts:list")


def _create_from(request: HttpRequest, form: RuleForm) -> bool:
    if getattr(request, "limited", False):
        form.add_error(None, "You can make 30 changes per minute. Wait a moment and try again.")
        return False
    if not form.is_valid():
        return False
    limit = settings.HINDCAST_ALERTS.rules_per_user
    try:
        rule, created = create_rule(user=_user(request), request=form.rule_request(), limit=limit, now=clock.now())
    except TooManyRules as error:
        form.add_error(None, str(error))
        return False
    outcome = "Alert set" if created else "You already have this alert"
    messages.success(request, f"{outcome}: {rule.instrument.symbol} {rule.phrase}.")
    return True


def _initial_values(request: HttpRequest) -> dict[str, str]:
    """Return the form's initial values from the symbol and horizon in the query."""
    initial = {"symbol": request.GET.get("symbol", "")[:15]}
    horizon = request.GET.get("horizon", "")
    return {**initial, "horizon_sessions": horizon} if horizon in map(str, HORIZONS) else initial


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise BadRequest("Sign in first.")
    return request.user
