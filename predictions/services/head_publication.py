"""Publication of signed heads by witnesses, with retries; and heads that other deployments send to this one."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from predictions.errors import WitnessFailed
from predictions.models import HeadPublication, LedgerKey, WitnessedHead
from predictions.selectors.ledger import newest_head
from predictions.signed_head import HeadDocument, SignedHead, head_document, verify_received
from predictions.witnesses.base import Witness
from predictions.witnesses.catalog import configured_witnesses

log = structlog.get_logger(__name__)

FIRST_RETRY = timedelta(minutes=10)
LONGEST_RETRY = timedelta(days=1)
LONGEST_TEXT = 300
UNEXPECTED = "an unexpected error, see the log"


@dataclass(frozen=True, slots=True)
class PublicationReport:
    """Numbers of heads that witnesses published and of attempts that failed."""

    published: int
    failed: int


def publish_heads(*, now: datetime) -> PublicationReport:
    """Have each configured witness publish the newest head, and the earlier ones that it failed to publish.

    A conditional update claims each publication, so that two workers never send one twice. A failed one is due again
    after a pause that doubles up to a day. No witness stops another. A second call finds nothing that is due.
    """
    witnesses = {witness.name: witness for witness in configured_witnesses(settings.HINDCAST_LEDGER)}
    newest = newest_head()
    if newest is not None:
        rows = [HeadPublication(head=newest, witness=name, next_attempt_at=now) for name in witnesses]
        HeadPublication.objects.bulk_create(rows, ignore_conflicts=True)
    public_keys = dict(LedgerKey.objects.values_list("key_id", "public_key"))
    due = HeadPublication.objects.filter(witness__in=witnesses, published_at=None, next_attempt_at__lte=now)
    attempts = []
    for row in due.select_related("head").order_by("head__day", "pk"):
        if _claim(row, now):
            document = head_document(row.head, public_key=public_keys[row.head.key_id])
            attempts.append(_attempt(row, witnesses[row.witness], document, now))
    return PublicationReport(published=sum(attempts), failed=len(attempts) - sum(attempts))


@transaction.atomic
def witness_head(signed: SignedHead, *, now: datetime) -> tuple[WitnessedHead, bool]:
    """Store the head of another deployment whose key is trusted; returns (head, created). Raises HeadRefused.

    A second call for the same head returns the stored one. A different head of the same key and day is stored too: both
    together prove that the ledger was rewritten.
    """
    fields = verify_received(signed, trusted=settings.HINDCAST_LEDGER.trusted_keys)
    head, created = WitnessedHead.objects.get_or_create(
        public_key=signed.public_key,
        entry_hash=signed.entry_hash,
        defaults={**asdict(signed), **fields, "received_at": now},
    )
    if created and is_contradicted(head):
        log.error("witnessed_heads_differ", public_key=head.public_key, day=head.day.isoformat())
    return head, created


def is_contradicted(head: WitnessedHead) -> bool:
    """Return whether the same key signed another head for the same day."""
    same_day = WitnessedHead.objects.filter(public_key=head.public_key, day=head.day)
    return same_day.exclude(entry_hash=head.entry_hash).exists()


def _claim(row: HeadPublication, now: datetime) -> bool:
    pause = min(FIRST_RETRY * 2 ** min(row.attempts, 10), LONGEST_RETRY)
    unclaimed = HeadPublication.objects.filter(pk=row.pk, published_at=None, next_attempt_at=row.next_attempt_at)
    return bool(unclaimed.update(next_attempt_at=now + pause, attempted_at=now, attempts=F("attempts") + 1))


def _attempt(row: HeadPublication, witness: Witness, document: HeadDocument, now: datetime) -> bool:
    """Publish one head and record the result; returns whether it was published."""
    facts = {"witness": row.witness, "day": document.day.isoformat()}
    try:
        receipt = witness.publish(document)
    except WitnessFailed as failure:
        log.warning("head_not_published", **facts, reason=failure.reason)
        HeadPublication.objects.filter(pk=row.pk).update(error=failure.reason[:LONGEST_TEXT])
        return False
    except Exception:
        # One faulty witness must not keep heads from the others.
        log.exception("head_not_published", **facts)
        HeadPublication.objects.filter(pk=row.pk).update(error=UNEXPECTED)
        return False
    log.info("head_published", **facts)
    HeadPublication.objects.filter(pk=row.pk).update(published_at=now, error="", receipt=receipt[:LONGEST_TEXT])
    return True
