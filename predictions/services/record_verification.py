"""Verification of what the hash chain does not cover: triggers, sums of the record, and prices of outcomes."""

from collections import defaultdict
from datetime import datetime

from django.db import connection, transaction

from marketdata.models import CorporateAction
from marketdata.provider_records import CorporateActionRecord
from marketdata.sql import fetch_rows
from mlops.scorecard import counted
from predictions.errors import LedgerBroken
from predictions.models import ScoringProgress
from predictions.selectors.ledger_protection import unprotected_tables
from predictions.services.accuracy import rebuild_accuracy
from predictions.services.scoring import basis_factor, is_another_price

UNPROTECTED = "its append-only triggers are missing or disabled"
# Bars that scoring has not seen yet may lead to a correction. Without a split between the bases, prices must agree as
# they are stored.
DOUBTFUL_PRICES_SQL = """
SELECT outcome.id, outcome.forecast_id, outcome.actual_price, bar.close, instrument.tick, forecast.instrument_id,
    forecast.basis_date, instrument.basis_date
FROM (SELECT DISTINCT ON (forecast_id) * FROM predictions_outcome ORDER BY forecast_id, revision DESC) AS outcome
JOIN predictions_forecast forecast ON forecast.id = outcome.forecast_id AND forecast.origin = outcome.origin
JOIN marketdata_instrument instrument ON instrument.id = forecast.instrument_id
JOIN marketdata_dailybar bar
    ON bar.instrument_id = forecast.instrument_id AND bar.session = forecast.target AND bar.is_final
WHERE (%(seen)s::timestamptz IS NULL OR bar.fetched_at <= %(seen)s) AND (
    2 * abs(outcome.actual_price - bar.close) >= instrument.tick OR EXISTS (
        SELECT 1 FROM marketdata_corporateaction action
        WHERE action.instrument_id = instrument.id AND action.kind = 'split'
            AND action.session > least(forecast.basis_date, instrument.basis_date)
            AND action.session <= greatest(forecast.basis_date, instrument.basis_date)
    )
)
ORDER BY outcome.id
"""


def verify_protection() -> None:
    """Raise LedgerBroken for the first ledger table that the database would let anyone change."""
    for table in unprotected_tables(connection):
        raise LedgerBroken(f"Table {table}", UNPROTECTED)


def verify_sums(*, now: datetime, forecasts: int) -> None:
    """Raise LedgerBroken if the sums of the record are not those of the outcomes. Changes nothing."""
    with transaction.atomic():
        differing = rebuild_accuracy(now=now).differing
        transaction.set_rollback(True)
    if differing:
        reason = (
            f"{counted(differing, 'row')} differ from the outcomes; `manage.py rebuild_accuracy` computes them anew"
        )
        raise LedgerBroken("Accuracy sums", reason, verified=forecasts)


def verify_prices() -> None:
    """Raise LedgerBroken for the first outcome whose price is not the stored close on the forecast's basis."""
    progress = ScoringProgress.objects.first()
    doubtful = fetch_rows(DOUBTFUL_PRICES_SQL, {"seen": progress and progress.bars_seen_at})
    splits = defaultdict(list)
    for action in CorporateAction.objects.filter(
        instrument__in={row[5] for row in doubtful}, kind=CorporateAction.Kind.SPLIT
    ):
        splits[action.instrument_id].append(CorporateActionRecord(action.session, "split", action.value))
    for outcome, forecast, actual, close, tick, instrument, forecast_basis, bar_basis in doubtful:
        expected = close * basis_factor(splits[instrument], forecast_basis=forecast_basis, bar_basis=bar_basis)
        if is_another_price(actual, expected, tick=tick):
            reason = f"its price {actual.normalize():f} is not the stored close {expected.normalize():f}"
            raise LedgerBroken(f"Outcome {outcome}", reason, forecast_id=forecast)
