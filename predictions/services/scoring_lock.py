"""The one row that says how far scoring and counting have come, and the lock under which it moves."""

from django.db import connection

from predictions.models import ScoringProgress

SCORING_LOCK = 0x7072_0002


def lock_scoring() -> ScoringProgress:
    """Wait until nobody else scores or counts, and keep it so until the surrounding transaction ends.

    Outcomes are written under this lock only, so that whoever holds it sees every outcome up to the highest key.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SCORING_LOCK])
    state, _ = ScoringProgress.objects.get_or_create(pk=ScoringProgress.ONLY)
    return state
