"""Deleting what was kept long enough."""

from datetime import datetime, timedelta

from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.models import RequestLog, TokenFamily


def delete_what_is_old(*, request_log_days: int, now: datetime) -> dict[str, int]:
    """Delete requests older than the retention, and tokens nobody can use any more; again changes nothing."""
    requests, _ = RequestLog.objects.filter(at__lt=now - timedelta(days=request_log_days)).delete()
    tokens, _ = OutstandingToken.objects.filter(expires_at__lt=now).delete()
    families, _ = TokenFamily.objects.filter(expires_at__lt=now).delete()
    return {"requests": requests, "tokens": tokens, "families": families}
