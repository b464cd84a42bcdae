"""Score forecasts against actual prices once their target session's bar is final."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from marketdata.adjustments import split_factor
from marketdata.models import CorporateAction, DailyBar
from marketdata.provider_records import CorporateActionRecord
from marketdata.selectors import newest_session
from mlops.forecasting.intervals.levels import LEVELS
from predictions.models import Forecast, Outcome, PendingForecast, ScoringProgress
from predictions.services.ledger import seal_outcomes
from predictions.services.realised_outcomes import load_realised_outcomes
from predictions.services.scoring_lock import lock_scoring

log = structlog.get_logger(__name__)

STORED = Decimal("0.000000000001")
HALF = Decimal("0.5")
ROWS_AT_A_TIME = 5_000
# Ingestion and scoring may overlap, so bars of the last day are compared again.
LOOKBACK = timedelta(days=1)
Splits = Mapping[int, Sequence[CorporateActionRecord]]

ENQUEUE_SQL = """
INSERT INTO predictions_pendingforecast (forecast_id, instrument_id, target)
SELECT id, instrument_id, target FROM predictions_forecast forecast
WHERE id > %s AND id <= %s AND status = 'issued' AND NOT EXISTS (
    SELECT 1 FROM predictions_outcome WHERE forecast_id = forecast.id AND revision = 0
)
ON CONFLICT DO NOTHING
"""
REFETCHED_SQL = """
SELECT id FROM (
    SELECT DISTINCT ON (outcome.forecast_id) outcome.id, outcome.recorded_at
    FROM marketdata_dailybar bar
    JOIN predictions_forecast forecast ON forecast.instrument_id = bar.instrument_id AND forecast.target = bar.session
    JOIN predictions_outcome outcome ON outcome.forecast_id = forecast.id
    WHERE bar.fetched_at > %s AND bar.is_final
    ORDER BY outcome.forecast_id, outcome.revision DESC
) AS newest
WHERE recorded_at <> %s
"""


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """Numbers of forecasts scored, forecasts still pending, and outcomes corrected."""

    scored: int
    waiting: int
    corrected: int = 0


def score_matured(*, now: datetime, through: date | None = None) -> ScoreReport:
    """Write revision 0 for every forecast whose target bar is final, up to session `through`, the newest by default.

    An outcome whose bar was corrected since gets a later revision. Abstentions are not scored. A second call finds
    nothing left to do. Only forecasts that wait and bars that were fetched since the last time are looked at, 5,000
    forecasts in a transaction; the number of queries of one does not depend on how many there are.
    """
    last = through or newest_session()
    if last is None:
        return ScoreReport(scored=0, waiting=0)
    scored, some = 0, ROWS_AT_A_TIME
    while some == ROWS_AT_A_TIME:
        some = _score_some(last, now)
        scored += some
    corrected = _correct(now)
    waiting = PendingForecast.objects.count()
    log.info("forecasts_scored", through=last.isoformat(), scored=scored, corrected=corrected, waiting=waiting)
    return ScoreReport(scored=scored, waiting=waiting, corrected=corrected)


def build_outcome(forecast: Forecast, close: Decimal, *, revision: int, now: datetime) -> Outcome:
    """Return the unsaved outcome of an issued forecast, given the target close on its basis."""
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
        origin=forecast.origin,
        revision=revision,
        actual_price=actual,
        error=predicted - actual,
        went_up=went_up,
        direction_right=(up > HALF) == went_up,
        recorded_at=now,
        **inside,
    )


def basis_factor(
    actions: Sequence[CorporateActionRecord], *, forecast_basis: date | None, bar_basis: date | None
) -> Decimal:
    """Return the factor that converts a price from the basis of the bar to that of the forecast; 1 if one is unknown.

    After a four-for-one split a stored close of 25 corresponds to 100 on the basis of an earlier forecast.
    """
    if forecast_basis is None or bar_basis is None:
        return Decimal(1)
    later = split_factor(actions, after=forecast_basis, through=bar_basis)
    return later / split_factor(actions, after=bar_basis, through=forecast_basis)


def is_another_price(price: Decimal, other: Decimal, *, tick: Decimal) -> bool:
    """Return whether the prices differ by at least half a tick; rounding after a split makes smaller differences."""
    return 2 * abs(price - other) >= tick


@transaction.atomic
def _score_some(last: date, now: datetime) -> int:
    """Score up to 5,000 pending forecasts, earliest targets first, and return the number."""
    _enqueue_new(lock_scoring())
    final_bar = DailyBar.objects.filter(instrument=OuterRef("instrument"), session=OuterRef("target"), is_final=True)
    ready = PendingForecast.objects.filter(Exists(final_bar), target__lte=last).order_by("target", "forecast_id")
    keys = list(ready.values_list("forecast_id", flat=True)[:ROWS_AT_A_TIME])
    if not keys:
        return 0
    matured = list(Forecast.objects.filter(pk__in=keys).select_related("instrument").defer("drivers").order_by("pk"))
    outcomes = _outcomes(matured, revisions={}, now=now)
    seal_outcomes(outcomes)
    Outcome.objects.bulk_create(outcomes, ignore_conflicts=True)
    PendingForecast.objects.filter(pk__in=keys).delete()
    return len(keys)


def _enqueue_new(state: ScoringProgress) -> None:
    """Add newly published forecasts to the pending ones."""
    newest = Forecast.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    if newest > state.forecasts_seen:
        with connection.cursor() as cursor:
            cursor.execute(ENQUEUE_SQL, [state.forecasts_seen, newest])
        ScoringProgress.objects.filter(pk=state.pk).update(forecasts_seen=newest)


@transaction.atomic
def _correct(now: datetime) -> int:
    """Add a revision to every outcome whose bar was fetched again with another price; return the number."""
    state = lock_scoring()
    since = state.bars_seen_at - LOOKBACK if state.bars_seen_at else datetime.min.replace(tzinfo=now.tzinfo)
    with connection.cursor() as cursor:
        cursor.execute(REFETCHED_SQL, [since, now])
        keys = [key for (key,) in cursor.fetchall()]
    newest = Outcome.objects.filter(pk__in=keys).select_related("forecast__instrument").order_by("pk")
    corrected = {outcome.forecast_id: outcome for outcome in newest}
    revisions = {key: outcome.revision + 1 for key, outcome in corrected.items()}
    again = _outcomes([outcome.forecast for outcome in corrected.values()], revisions=revisions, now=now)
    corrections = [
        outcome
        for outcome in again
        if is_another_price(
            outcome.actual_price,
            corrected[outcome.forecast_id].actual_price,
            tick=outcome.forecast.instrument.tick,
        )
    ]
    seal_outcomes(corrections)
    Outcome.objects.bulk_create(corrections, ignore_conflicts=True)
    ScoringProgress.objects.filter(pk=state.pk).update(bars_seen_at=now)
    return len(corrections)


def _outcomes(forecasts: Sequence[Forecast], *, revisions: Mapping[int, int], now: datetime) -> list[Outcome]:
    if not forecasts:
        return []
    closes, splits, realised = _closes(forecasts), _splits(forecasts), load_realised_outcomes(forecasts)
    outcomes = []
    for forecast in forecasts:
        factor = basis_factor(
            splits.get(forecast.instrument_id, ()),
            forecast_basis=forecast.basis_date,
            bar_basis=forecast.instrument.basis_date,
        )
        close = closes[forecast.instrument_id, forecast.target] * factor
        outcome = build_outcome(forecast, close, revision=revisions.get(forecast.pk, 0), now=now)
        outcome.volatility_rose = realised.volatility_rose(forecast)
        outcome.call_right = realised.call_right(forecast)
        outcomes.append(outcome)
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
