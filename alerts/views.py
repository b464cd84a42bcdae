"""The pages on which a person sets and deletes alert rules."""

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
    """The person's rules and latest alerts, with the form that adds a rule."""
    form = RuleForm(request.POST or None, initial=_asked_about(request))
    if request.method == "POST" and _added(request, form):
        return redirect("alerts:list")
    context = {"form": form, "rules": rules_of(_person(request)), "alerts": alerts_of(_person(request))}
    return render(request, "alerts/list.html", context, status=422 if form.errors else 200)


@require_GET
def rule_form(request: HttpRequest) -> HttpResponse:
    """The form as a fragment for a stock's page; an invitation to sign in for a person who has not."""
    asked = _asked_about(request)
    return render(request, "alerts/_stock_form.html", {"form": RuleForm(initial=asked), **asked})


@login_required
@require_POST
def rule_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete one of the person's own rules; anybody else's does not exist."""
    rule = get_object_or_404(Rule, pk=pk, user=_person(request))
    delete_rule(rule=rule)
    messages.success(request, f"Deleted: {rule.instrument.symbol}, {rule.phrase}.")
    return redirect("alerts:list")


def _added(request: HttpRequest, form: RuleForm) -> bool:
    if getattr(request, "limited", False):
        form.add_error(None, "That is more than 30 changes in a minute. Wait a moment and try again.")
        return False
    if not form.is_valid():
        return False
    limit = settings.HINDCAST_ALERTS.rules_per_user
    try:
        rule, created = create_rule(user=_person(request), request=form.rule_request(), limit=limit, now=clock.now())
    except TooManyRules as error:
        form.add_error(None, str(error))
        return False
    said = "We will write to you when" if created else "You already asked to be told when"
    messages.success(request, f"{said} {rule.phrase} ({rule.instrument.symbol}).")
    return True


def _asked_about(request: HttpRequest) -> dict[str, str]:
    """What the page that led here was about, as far as a form can start with it."""
    asked = {"symbol": request.GET.get("symbol", "")[:15]}
    horizon = request.GET.get("horizon", "")
    return {**asked, "horizon_sessions": horizon} if horizon in map(str, HORIZONS) else asked


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise BadRequest("Sign in first.")
    return request.user
