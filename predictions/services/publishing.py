"""Publishing: the champion's forecasts for every active instrument are stored in the ledger, then announced."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog
from django.db import transaction
from django.db.models import Count

from marketdata.calendars import close_instant, is_session
from marketdata.clock import Clock
from marketdata.models import Instrument
from marketdata.selectors import HOME_EXCHANGE, active_instruments, newest_session, prices_are_stale
from mlops.dataset import load_panel
from mlops.errors import InsufficientHistory
from mlops.forecasting.features.news import uses_news
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
from predictions.models.forecast import PUBLISHED_KINDS
from predictions.readpath.cache import store_responses
from predictions.readpath.rendering import render_in_background
from predictions.selectors.forecasts import first_published_keys, published_forecasts, published_keys
from predictions.services import ledger
from predictions.services.input_blocks import store_inputs
from predictions.services.rows import PublicationContext, forecast_rows

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Counts of one publication: rows created, rows stored before, and abstentions among both."""

    origin: date
    version: str
    created: int
    existing: int
    abstained: int


def publish_forecasts(*, clock: Clock, origin: date | None = None) -> PublishReport:
    """Store the champion's forecasts from `origin`, by default the newest stored session, and announce them.

    The time of recording decides whether they are live or late; `clock` is read again once the rows are ready. From an
    earlier session they are hindcasts by the fit that has not seen it, and are not announced. A second call finds every
    row, changes nothing and sends nothing.

    Raises NoChampion, InsufficientHistory, OriginRefused, ArtifactCorrupt, ClockBehind.
    """
    context = _context(champion(), origin, clock())
    instruments = _instruments_closed(context)
    required = {(instrument.pk, horizon) for instrument in instruments.values() for horizon in HORIZONS}
    if required <= _published(context):
        return _report(context, created=0)
    panel = load_panel(
        instruments=instruments.values(), through=context.origin, news=uses_news(context.version.feature_set)
    )
    if not len(panel.sessions) or panel.sessions[-1].astype(object) != context.origin:
        raise OriginRefused(HOME_EXCHANGE, context.origin, "no bar of that session is stored")
    forecasts = forecasts_from(version=context.version, panel=panel, origin=context.origin, fit=context.fit)
    versions = Toolchain.text_of(toolchain())
    context = replace(context, toolchain=Toolchain.objects.get_or_create(versions=versions)[0])
    return store_forecasts(forecasts=forecasts, instruments=instruments, context=context, clock=clock)


def announce_champion(*, clock: Clock) -> PublishReport:
    """Publish the champion's missing forecasts, or announce its stored ones again, which a rollback makes current.

    A second call stores nothing and repeats the announcement.
    """
    report = publish_forecasts(clock=clock)
    if report.created == 0:
        current = published_forecasts().filter(model_version__version=report.version, origin=report.origin)
        _announcement(list(current), clock())()
    return report


@transaction.atomic
def store_forecasts(
    *,
    forecasts: Sequence[InstrumentForecast],
    instruments: Mapping[str, Instrument],
    context: PublicationContext,
    clock: Clock,
) -> PublishReport:
    """Chain and insert the forecasts that are not stored yet; all but hindcasts are announced after the commit."""
    ledger.lock_chain()
    context = replace(context, now=ledger.recording_time(clock))
    if context.kind == Forecast.Kind.LIVE:
        context = replace(context, published=first_published_keys(origin=context.origin))
    published = _published(context)
    new = [each for each in forecasts if (instruments[each.symbol].pk, each.horizon_sessions) not in published]
    inputs = store_inputs(new, instruments, context)
    rows = ledger.append_forecasts(forecast_rows(new, instruments, context, inputs=inputs), count=len(new))
    if rows and context.kind == Forecast.Kind.LIVE:
        transaction.on_commit(_announcement(rows, context.now))
    log.info("forecasts_published", origin=context.origin.isoformat(), version=context.version.version,
             kind=str(context.kind), created=len(rows))  # fmt: skip
    return _report(context, created=len(rows))


def _context(version: ModelVersion, origin: date | None, now: datetime) -> PublicationContext:
    """Return the context of live forecasts from the newest session, or of hindcasts from an earlier one."""
    newest = newest_session()
    if newest is None:
        raise InsufficientHistory(0, 1)
    if origin is None or origin == newest:
        return PublicationContext(version, newest, Forecast.Kind.LIVE, now)
    if origin <= version.holdout_trained_through:
        reason = f"model {version.version} was trained on sessions up to {version.holdout_trained_through}"
        raise OriginRefused(HOME_EXCHANGE, origin, reason)
    return PublicationContext(version, origin, Forecast.Kind.HINDCAST, now)


def _instruments_closed(context: PublicationContext) -> dict[str, Instrument]:
    """Return the active instruments whose exchange has closed the origin session, by symbol. Raises OriginRefused."""
    active = list(active_instruments())
    closed = {
        instrument.symbol: instrument
        for instrument in active
        if is_session(instrument.mic, context.origin) and close_instant(instrument.mic, context.origin) <= context.now
    }
    if len(closed) < len(active):
        log.warning("origin_not_closed", origin=context.origin.isoformat(), instruments=len(active) - len(closed))
    if active and not closed:
        reason = f"no exchange has closed such a session at {context.now:%Y-%m-%d %H:%M} UTC"
        raise OriginRefused(HOME_EXCHANGE, context.origin, reason)
    return closed


def _announcement(forecasts: Sequence[Forecast], now: datetime) -> Callable[[], None]:
    """Begin to render the responses; the returned function caches them and pushes them to subscribers."""
    stale = prices_are_stale(now=now)
    parts = render_in_background(forecasts, stale=stale, now=now)

    def announce() -> None:
        refresh_champion_key()
        messages: list[ForecastMessage] = [
            {"instrument_id": row.instrument_id, "rendered": rendered}
            for row, rendered in zip(forecasts, store_responses(parts, stale=stale, now=now), strict=True)
        ]
        push_forecasts(messages)

    return announce


def _kinds(context: PublicationContext) -> Sequence[str]:
    return PUBLISHED_KINDS if context.kind == Forecast.Kind.LIVE else (str(context.kind),)


def _published(context: PublicationContext) -> set[tuple[int, int]]:
    return published_keys(version=context.version, origin=context.origin, kinds=_kinds(context))


def _report(context: PublicationContext, *, created: int) -> PublishReport:
    stored = Forecast.objects.filter(model_version=context.version, origin=context.origin, kind__in=_kinds(context))
    counts = dict(stored.order_by().values_list("status").annotate(Count("pk")))
    return PublishReport(
        origin=context.origin,
        version=context.version.version,
        created=created,
        existing=sum(counts.values()) - created,
        abstained=counts.get(Forecast.Status.ABSTAINED.value, 0),
    )
