"""Stored forecasts: the newest ones of the version that serves, and single ones."""

from datetime import date

from django.db.models import QuerySet

from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.models import Forecast


def live_forecasts() -> QuerySet[Forecast]:
    """Every live forecast by the version that serves now, with its instrument and version."""
    return Forecast.objects.filter(
        kind=Forecast.Kind.LIVE, model_version__stage=ModelVersion.Stage.CHAMPION
    ).select_related("instrument", "model_version")


def latest_forecast(instrument: Instrument, horizon: int) -> Forecast | None:
    """The champion's newest live forecast for an instrument, or None."""
    return live_forecasts().filter(instrument=instrument, horizon_sessions=horizon).order_by("-origin").first()


def latest_forecasts(horizon: int) -> dict[int, Forecast]:
    """The champion's newest live forecast of every instrument, by the instrument's key; one query."""
    newest = (
        live_forecasts().filter(horizon_sessions=horizon).order_by("instrument_id", "-origin").distinct("instrument_id")
    )
    return {forecast.instrument_id: forecast for forecast in newest}


def forecast_by_id(pk: int) -> Forecast | None:
    """One stored forecast with its instrument and version, or None."""
    return Forecast.objects.select_related("instrument", "model_version").filter(pk=pk).first()


def forecasts_said(*, version: ModelVersion, origin: date, kind: str) -> set[tuple[int, int]]:
    """What the version has said from `origin`: (instrument key, horizon) pairs."""
    said = Forecast.objects.filter(model_version=version, origin=origin, kind=kind)
    return set(said.values_list("instrument_id", "horizon_sessions"))
