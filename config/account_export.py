"""Data export of an account, composed from every app."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import selectors as accounts
from accounts.models import AuditEvent, User
from accounts.services.audit import record
from accounts.views import authenticated_user
from accounts.wall_clock import utc_now
from alerts import selectors as alerts
from predictions.selectors import batch

EXPORTS: Mapping[str, Callable[[User], dict[str, Any]]] = {
    "account": accounts.export_for,
    "alerts": alerts.export_for,
    "predictions": batch.export_for,
}


@require_POST
@never_cache
@login_required
def download(request: HttpRequest) -> HttpResponse:
    """Return all of the user's data as a JSON file."""
    user, now = authenticated_user(request), utc_now()
    record(kind=AuditEvent.Kind.DATA_EXPORTED, user=user, now=now)
    export = {"exported_at": now.isoformat(), **{name: export_for(user) for name, export_for in EXPORTS.items()}}
    response = HttpResponse(json.dumps(export, indent=2, ensure_ascii=False), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="hindcast-{now:%Y-%m-%d}.json"'
    return response
