"""Deletion of rows past their retention period."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.models import AuditEvent, RequestLog, TokenFamily
from accounts.services.audit import record

# The trigger on the audit log allows deletes while this setting is "yes".
SET_PRUNING = "SELECT set_config('hindcast.prune_audit', %s, true)"


def delete_expired_rows(*, request_log_days: int, audit_days: int, now: datetime) -> dict[str, int]:
    """Delete requests and events past their retention, and expired tokens; returns counts by kind.

    `audit_days` of 0 keeps the audit log without limit.
    """
    requests, _ = RequestLog.objects.filter(at__lt=now - timedelta(days=request_log_days)).delete()
    tokens, _ = OutstandingToken.objects.filter(expires_at__lt=now).delete()
    families, _ = TokenFamily.objects.filter(expires_at__lt=now).delete()
    events = _prune_audit(before=now - timedelta(days=audit_days), now=now) if audit_days else 0
    return {"requests": requests, "tokens": tokens, "families": families, "events": events}


@transaction.atomic
def _prune_audit(*, before: datetime, now: datetime) -> int:
    """Delete the events before an instant and record that; returns their number."""
    with connection.cursor() as cursor:
        cursor.execute(SET_PRUNING, ["yes"])
        events, _ = AuditEvent.objects.filter(recorded_at__lt=before).delete()
        cursor.execute(SET_PRUNING, ["no"])
    if events:
        detail = f"{events} from before {before:%Y-%m-%d}"
        record(kind=AuditEvent.Kind.AUDIT_PRUNED, user=None, now=now, detail=detail)
    return events
