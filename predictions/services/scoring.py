"""Scoring: forecasts whose session has come are met with what happened."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from marketdata.adjustments import split_factor
from marketdata.models import CorporateAction, DailyBar
from marketdata.records import CorporateActionRecord
from marketdata.selectors import newest_session
from predictions.models import Forecast, Outcome

log = structlog.get_logger(__name__)

STORED = Decimal("0.000001")
HALF = Decimal("0.5")
LEVELS = (80, 95, 99)
Splits = Mapping[int, Sequence[CorporateActionRecord]]


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """How many forecasts were scored, how many still wait for their session, how many outcomes were corrected."""

    scored: int
    waiting: int
    corrected: int = 0


@transaction.atomic
def score_matured(*, now: datetime, through: date | None = None) -> ScoreReport:
    """Write revision 0 for every forecast whose target bar is final, up to session `through`, the newest by default.

    An outcome whose bar was corrected since gets a later revision. Abstentions are not scored. A second call finds
    nothing left to do. The number of queries does not depend on the number of forecasts.
    """
    last = through or newest_session()
    if last is None:
        return ScoreReport(scored=0, waiting=0)
    matured = list(_unscored().filter(target__lte=last).filter(Exists(_final_bar())).select_related("instrument"))
    first = _outcomes(matured, revisions={}, now=now)
    Outcome.objects.bulk_create(first, ignore_conflicts=True)
    corrections = _corrections(last, now)
    Outcome.objects.bulk_create(corrections, ignore_conflicts=True)
    waiting = _unscored().count()
    log.info(
        "forecasts_scored", through=last.isoformat(), scored=len(first), corrected=len(corrections), waiting=waiting
    )
    return ScoreReport(scored=len(first), waiting=waiting, corrected=len(corrections))


def outcome_of(forecast: Forecast, close: Decimal, *, revision: int, now: datetime) -> Outcome:
    """The unsaved outcome of an issued forecast, given the close of its target session on the forecast's basis."""
    actual = close.quantize(STORED)
    predicted, last, up = forecast.predicted_price, forecast.last_price, forecast.probability_up
    if predicted is None or last is None or up is None:
        raise ValueError(f"forecast {forecast.pk} abstained and has no outcome")
    went_up = actual > last
    inside = {
        f"inside_{level}": getattr(forecast, f"lower_{level}") <= actual <= getattr(forecast, f"upper_{level}")
        for level in LEVELS
    }
    return Outcome(
        forecast=forecast,
        revision=revision,
        actual_price=actual,
        error=predicted - actual,
        went_up=went_up,
        direction_right=(up > HALF) == went_up,
        recorded_at=now,
        **inside,
    )


def basis_factor(actions: Sequence[CorporateActionRecord], *, told_on: date | None, stored_on: date | None) -> Decimal:
    """What a price on the basis `stored_on` is multiplied by to be on the basis `told_on`; 1 when one is unknown.

    After a four-for-one split a stored close of 25 was 100 when the forecast was told.
    """
    if told_on is None or stored_on is None:
        return Decimal(1)
    later = split_factor(actions, after=told_on, through=stored_on)
    return later / split_factor(actions, after=stored_on, through=told_on)


def _unscored() -> QuerySet[Forecast]:
    scored = Outcome.objects.filter(forecast=OuterRef("pk"), revision=0)
    return Forecast.objects.filter(~Exists(scored), status=Forecast.Status.ISSUED)


def _final_bar() -> QuerySet[DailyBar]:
    return DailyBar.objects.filter(instrument=OuterRef("instrument"), session=OuterRef("target"), is_final=True)


def _corrections(last: date, now: datetime) -> list[Outcome]:
    """The next revision of every outcome whose bar was fetched again since and now says something else."""
    refetched = DailyBar.objects.filter(
        instrument=OuterRef("forecast__instrument"),
        session=OuterRef("forecast__target"),
        is_final=True,
        fetched_at__gt=OuterRef("recorded_at"),
    )
    superseded = Outcome.objects.filter(forecast=OuterRef("forecast"), revision__gt=OuterRef("revision"))
    newest = (
        Outcome.objects.filter(~Exists(superseded), Exists(refetched), forecast__target__lte=last)
        .select_related("forecast__instrument")
        .order_by("pk")
    )
    told = {outcome.forecast_id: outcome for outcome in newest}
    revisions = {key: outcome.revision + 1 for key, outcome in told.items()}
    again = _outcomes([outcome.forecast for outcome in told.values()], revisions=revisions, now=now)
    return [outcome for outcome in again if _is_another_price(outcome, told[outcome.forecast_id])]


def _is_another_price(now: Outcome, before: Outcome) -> bool:
    """Whether they differ by half a tick at least; rounding in a series restated for a split makes less."""
    return 2 * abs(now.actual_price - before.actual_price) >= now.forecast.instrument.tick


def _outcomes(forecasts: Sequence[Forecast], *, revisions: Mapping[int, int], now: datetime) -> list[Outcome]:
    closes = _closes(forecasts)
    splits = _splits(forecasts)
    outcomes = []
    for forecast in forecasts:
        factor = basis_factor(
            splits.get(forecast.instrument_id, ()),
            told_on=forecast.basis_date,
            stored_on=forecast.instrument.basis_date,
        )
        close = closes[forecast.instrument_id, forecast.target] * factor
        outcomes.append(outcome_of(forecast, close, revision=revisions.get(forecast.pk, 0), now=now))
    return outcomes


def _closes(forecasts: Sequence[Forecast]) -> dict[tuple[int, date], Decimal]:
    bars = DailyBar.objects.filter(
        instrument__in={forecast.instrument_id for forecast in forecasts},
        session__in={forecast.target for forecast in forecasts},
        is_final=True,
    )
    return {(key, session): close for key, session, close in bars.values_list("instrument_id", "session", "close")}


def _splits(forecasts: Sequence[Forecast]) -> Splits:
    actions = CorporateAction.objects.filter(
        instrument__in={forecast.instrument_id for forecast in forecasts}, kind=CorporateAction.Kind.SPLIT
    )
    splits: dict[int, list[CorporateActionRecord]] = defaultdict(list)
    for action in actions:
        splits[action.instrument_id].append(CorporateActionRecord(action.session, "split", action.value))
    return splits
