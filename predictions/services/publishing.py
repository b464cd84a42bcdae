"""Publishing: the champion's forecasts for every active instrument, stored for good, then told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog
from django.db import transaction
from django.db.models import Count

from marketdata.models import Instrument
from marketdata.selectors import HOME_EXCHANGE, active_instruments, newest_session, prices_are_stale
from mlops.dataset import load_panel
from mlops.errors import InsufficientHistory
from mlops.forecasting.features.news import reads_news
from mlops.forecasting.serving import InstrumentForecast
from mlops.forecasting.toolchain import toolchain
from mlops.forecasting.types import HORIZONS
from mlops.models import ModelVersion
from mlops.selectors import champion
from mlops.services.registry import refresh_champion_key
from mlops.services.serving import forecasts_from
from predictions.errors import OriginRefused
from predictions.live.forecasts import ForecastMessage, push_forecasts
from predictions.models import Forecast, Toolchain
from predictions.models.forecast_row import ForecastRow
from predictions.readpath.bodies import answers_ahead
from predictions.readpath.cache import keep_made
from predictions.selectors.forecasts import forecasts_said, live_forecasts
from predictions.services import ledger
from predictions.services.forecast_copy import copy_in
from predictions.services.input_blocks import stored_inputs
from predictions.services.rows import Occasion, rows_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What one publication added: rows created, rows that were there before, and how many of both abstain."""

    origin: date
    version: str
    created: int
    existing: int
    abstained: int


def publish_forecasts(*, now: datetime, origin: date | None = None) -> PublishReport:
    """Store the champion's forecasts from `origin`, by default the newest stored session, and tell the world of them.

    From an earlier session they are hindcasts by the fit that had not seen it, and nobody is told. A second call finds
    every row, changes nothing and sends nothing.

    Raises NoChampion, InsufficientHistory, OriginRefused, ArtifactCorrupt.
    """
    instruments = {instrument.symbol: instrument for instrument in active_instruments()}
    occasion = _occasion(champion(), origin, now)
    wanted = {(instrument.pk, horizon) for instrument in instruments.values() for horizon in HORIZONS}
    if wanted <= _said(occasion):
        return _report(occasion, created=0)
    panel = load_panel(
        instruments=instruments.values(), through=occasion.origin, news=reads_news(occasion.version.feature_set)
    )
    if not len(panel.sessions) or panel.sessions[-1].astype(object) != occasion.origin:
        raise OriginRefused(HOME_EXCHANGE, occasion.origin, "no bar of that session is stored")
    said = forecasts_from(version=occasion.version, panel=panel, origin=occasion.origin, fit=occasion.fit)
    versions = Toolchain.text_of(toolchain())
    occasion = replace(occasion, toolchain=Toolchain.objects.get_or_create(versions=versions)[0])
    return store_forecasts(said=said, instruments=instruments, occasion=occasion)


def announce_champion(*, now: datetime) -> PublishReport:
    """Publish what the champion has not said yet and tell what it said before, which comes back with a rollback.

    A second call stores nothing and tells the same again.
    """
    report = publish_forecasts(now=now)
    if report.created == 0:
        standing = live_forecasts().filter(model_version__version=report.version, origin=report.origin)
        _telling(list(standing), now)()
    return report


@transaction.atomic
def store_forecasts(
    *, said: Sequence[InstrumentForecast], instruments: Mapping[str, Instrument], occasion: Occasion
) -> PublishReport:
    """Chain and insert what has not been said yet, in one batch; live forecasts are told once it is committed."""
    ledger.hold_chain()
    known = _said(occasion)
    fresh = [forecast for forecast in said if (instruments[forecast.symbol].pk, forecast.horizon_sessions) not in known]
    inputs = stored_inputs(fresh, instruments, occasion)
    keys, head = ledger.next_keys("predictions_forecast", len(fresh)), ledger.head()
    rows = copy_in(ledger.sealed(rows_of(fresh, instruments, occasion, inputs=inputs), keys=keys, after=head))
    if rows and occasion.kind == Forecast.Kind.LIVE:
        transaction.on_commit(_telling(rows, occasion.now))
    log.info("forecasts_published", origin=occasion.origin.isoformat(), version=occasion.version.version,
             kind=str(occasion.kind), created=len(rows))  # fmt: skip
    return _report(occasion, created=len(rows))


def _occasion(version: ModelVersion, origin: date | None, now: datetime) -> Occasion:
    """From which session, and whether that is the present or the past."""
    newest = newest_session()
    if newest is None:
        raise InsufficientHistory(0, 1)
    if origin is None or origin == newest:
        return Occasion(version, newest, Forecast.Kind.LIVE, now)
    if origin <= version.holdout_trained_through:
        reason = f"model {version.version} has learned from sessions up to {version.holdout_trained_through}"
        raise OriginRefused(HOME_EXCHANGE, origin, reason)
    return Occasion(version, origin, Forecast.Kind.HINDCAST, now)


def _telling(forecasts: Sequence[Forecast | ForecastRow], now: datetime) -> Callable[[], None]:
    """Begin to make the answers. What is returned puts them where readers look first, then pushes them to followers."""
    stale = prices_are_stale(now=now)
    parts = answers_ahead(forecasts, stale=stale, now=now)

    def tell() -> None:
        refresh_champion_key()
        messages: list[ForecastMessage] = [
            {"instrument_id": row.instrument_id, "answer": answer}
            for row, answer in zip(forecasts, keep_made(parts, stale=stale, now=now), strict=True)
        ]
        push_forecasts(messages)

    return tell


def _said(occasion: Occasion) -> set[tuple[int, int]]:
    return forecasts_said(version=occasion.version, origin=occasion.origin, kind=occasion.kind)


def _report(occasion: Occasion, *, created: int) -> PublishReport:
    said = Forecast.objects.filter(model_version=occasion.version, origin=occasion.origin, kind=occasion.kind)
    counts = dict(said.order_by().values_list("status").annotate(Count("pk")))
    return PublishReport(
        origin=occasion.origin,
        version=occasion.version.version,
        created=created,
        existing=sum(counts.values()) - created,
        abstained=counts.get(Forecast.Status.ABSTAINED.value, 0),
    )
