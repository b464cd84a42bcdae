"""Stored forecasts: the newest ones, the champion's before any other's, and single ones."""

from datetime import date

from django.db.models import Case, QuerySet, Value, When

from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.errors import ForecastUnknown, ReplayImpossible
from predictions.models import Forecast

NEWEST_FIRST = ("rank", "-origin", "-id")


def live_forecasts() -> QuerySet[Forecast]:
    """Every live forecast with its instrument and version; `rank` is 0 where the version serves now, else 1.

    Between a promotion and the new champion's first publication its predecessor's forecasts are the newest there are.
    """
    rank = Case(When(model_version__stage=ModelVersion.Stage.CHAMPION, then=Value(0)), default=Value(1))
    live = Forecast.objects.filter(kind=Forecast.Kind.LIVE)
    return live.annotate(rank=rank).select_related("instrument", "model_version")


def latest_forecast(instrument: Instrument, horizon: int) -> Forecast | None:
    """The newest live forecast for an instrument, the champion's if it has one, or None."""
    return live_forecasts().filter(instrument=instrument, horizon_sessions=horizon).order_by(*NEWEST_FIRST).first()


def latest_forecasts(horizon: int) -> dict[int, Forecast]:
    """The newest live forecast of every instrument, by the instrument's key; one query."""
    found = live_forecasts().filter(horizon_sessions=horizon)
    newest = found.order_by("instrument_id", *NEWEST_FIRST).distinct("instrument_id")
    return {forecast.instrument_id: forecast for forecast in newest}


def latest_by_horizon(instrument: Instrument) -> dict[int, Forecast]:
    """The newest live forecast of one instrument for each horizon; one query."""
    found = live_forecasts().filter(instrument=instrument)
    newest = found.order_by("horizon_sessions", *NEWEST_FIRST).distinct("horizon_sessions")
    return {forecast.horizon_sessions: forecast for forecast in newest}


def forecasts_said(*, version: ModelVersion, origin: date, kind: str) -> set[tuple[int, int]]:
    """What the version has said from `origin`: (instrument key, horizon) pairs."""
    said = Forecast.objects.filter(model_version=version, origin=origin, kind=kind)
    return set(said.values_list("instrument_id", "horizon_sessions"))


def forecast_by_id(forecast_id: int) -> Forecast:
    """One stored forecast with everything it refers to, input numbers included. Raises ForecastUnknown."""
    stored = Forecast.objects.select_related("instrument", "model_version", "toolchain", "inputs")
    forecast = stored.filter(pk=forecast_id).first()
    if forecast is None:
        raise ForecastUnknown(forecast_id)
    return forecast


def replayable_forecast(forecast_id: int) -> Forecast:
    """A stored forecast that was computed from stored numbers. Raises ForecastUnknown, ReplayImpossible."""
    forecast = Forecast.objects.filter(pk=forecast_id).only("inputs_id").first()
    if forecast is None:
        raise ForecastUnknown(forecast_id)
    if forecast.inputs_id is None:
        raise ReplayImpossible(forecast_id, "it abstained, so nothing was computed")
    return forecast


def has_hindcasts(version: ModelVersion) -> bool:
    """Whether the version has told of the past."""
    return Forecast.objects.filter(model_version=version, kind=Forecast.Kind.HINDCAST).exists()
