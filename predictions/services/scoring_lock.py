"""The row that holds the scoring progress, and the lock that guards it."""

from django.db import connection

from predictions.models import ScoringProgress

SCORING_LOCK = 0x7072_0002


def lock_scoring() -> ScoringProgress:
    """Take the scoring lock until the surrounding transaction ends, and return the progress.

    Outcomes are written only under this lock, so its holder sees every outcome up to the highest key.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SCORING_LOCK])
    state, _ = ScoringProgress.objects.get_or_create(pk=ScoringProgress.ONLY)
    return state
