"""Reviews of doubtful price histories: record doubts, look up and take decisions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.module_loading import import_string

from marketdata.errors import MarketDataError
from marketdata.models import ArticleMention, HistoryReview, Instrument
from marketdata.provider_records import BarRecord
from marketdata.quality.shifts import Doubt
from marketdata.services.bar_store import bar_json

Key = tuple[str, date, float]
MAX_FINDING_LENGTH = 300
BARS_AROUND = 3
MAX_ARTICLES = 5


class DecisionRefused(MarketDataError):
    """A decision about a doubtful history lacks a reason, or was taken already."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions of staff about one instrument's history from one source, by doubt."""

    accepted: frozenset[Key] = frozenset()
    rejected: frozenset[Key] = frozenset()

    @property
    def accepted_sessions(self) -> frozenset[date]:
        """Return the sessions whose change of level is a market move.

        An accepted level shift is none: the bars before it stay rejected, as after a spin-off.
        """
        return frozenset(session for rule, session, _ in self.accepted if rule != "level_shift")

    @property
    def accepted_levels(self) -> frozenset[date]:
        """Return the sessions from which staff accepted another level."""
        return frozenset(session for rule, session, _ in self.accepted if rule == "two_levels")

    def undecided(self, doubts: Iterable[Doubt]) -> list[Doubt]:
        """Return the doubts that staff did not accept."""
        return [doubt for doubt in doubts if doubt.key not in self.accepted]


def decisions_about(instrument: Instrument, source: str) -> Decisions:
    """Return what staff decided about the instrument's history from this source."""
    keys: dict[str, set[Key]] = {HistoryReview.Status.ACCEPTED: set(), HistoryReview.Status.REJECTED: set()}
    reviews = HistoryReview.objects.filter(instrument=instrument, source=source, status__in=keys)
    for status, rule, session, factor in reviews.values_list("status", "rule", "session", "factor"):
        keys[status].add((rule, session, float(factor)))
    return Decisions(frozenset(keys[HistoryReview.Status.ACCEPTED]), frozenset(keys[HistoryReview.Status.REJECTED]))


def request_reviews(
    *, instrument: Instrument, source: str, doubts: Sequence[Doubt], bars: Sequence[BarRecord], now: datetime
) -> None:
    """Put the doubts before staff; a second call for the same doubts changes nothing."""
    ordered = sorted(bars, key=lambda bar: bar.session)
    HistoryReview.objects.bulk_create(
        [
            HistoryReview(
                instrument=instrument,
                source=source,
                rule=doubt.rule,
                session=doubt.session,
                factor=Decimal(str(doubt.key[2])),
                finding=doubt.reason[:MAX_FINDING_LENGTH],
                bars=[bar_json(bar) for bar in _around(ordered, doubt.session)],
                seen_at=now,
            )
            for doubt in doubts
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def decide(*, review: HistoryReview, accept: bool, reason: str, actor: AbstractBaseUser | None, now: datetime) -> None:
    """Accept or reject a doubtful change, with a reason, here and in the audit log.

    Raises DecisionRefused without a reason, and for a second decision.
    """
    if not reason.strip():
        raise DecisionRefused("Enter a reason for the decision.")
    status = HistoryReview.Status.ACCEPTED if accept else HistoryReview.Status.REJECTED
    decided = HistoryReview.objects.filter(pk=review.pk, status=HistoryReview.Status.WAITING).update(
        status=status, reason=reason.strip(), decided_by=actor, decided_at=now
    )
    if not decided:
        raise DecisionRefused("This change was decided already.")
    # The audit log belongs to a higher app, which marketdata may not import; a setting names the function.
    audit = import_string(settings.HINDCAST_ON_HISTORY_REVIEW)
    audit(actor=actor, change=f"{review.instrument.symbol} {review.rule} of {review.session} {status}", now=now)


def articles_about(review: HistoryReview) -> list[str]:
    """Return the titles of stored articles that count towards the doubtful session, most relevant first."""
    mentions = ArticleMention.objects.filter(instrument=review.instrument_id, session=review.session)
    return list(mentions.order_by("-relevance").values_list("article__title", flat=True)[:MAX_ARTICLES])


def _around(bars: Sequence[BarRecord], session: date) -> Sequence[BarRecord]:
    first = next((index for index, bar in enumerate(bars) if bar.session >= session), len(bars))
    return bars[max(first - BARS_AROUND, 0) : first + BARS_AROUND]
