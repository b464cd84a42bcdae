"""Stored forecasts: the newest, with the champion's first, and single ones; indexed reads only."""

from collections.abc import Collection
from datetime import date
from typing import Any, cast

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.conf import HORIZONS
from predictions.errors import ForecastUnknown, ReplayImpossible
from predictions.models import Forecast, ForecastInput, Toolchain
from predictions.models.forecast import FIRST_KINDS, PUBLISHED_KINDS

# Columns of related rows that are part of a forecast's provenance.
RELATED_COLUMNS: dict[str, tuple[type[Model], tuple[str, ...]]] = {
    "instrument": (Instrument, ("symbol",)),
    "model_version": (ModelVersion, ("version", "artifact_sha256")),
    "toolchain": (Toolchain, ("versions",)),
    "inputs": (ForecastInput, ("sha256",)),
}
PROVENANCE_SQL = f"""
SELECT f.*, {", ".join(f"{to}.{name} AS {to}_{name}" for to, (_, names) in RELATED_COLUMNS.items() for name in names)}
FROM predictions_forecast f
{" ".join(f"LEFT JOIN {one._meta.db_table} {to} ON {to}.id = f.{to}_id" for to, (one, _) in RELATED_COLUMNS.items())}
WHERE f.id = %(forecast)s
"""


def published_forecasts() -> QuerySet[Forecast]:
    """Return all published forecasts, live or not, with their instrument and version and without the payload."""
    published = Forecast.objects.filter(kind__in=PUBLISHED_KINDS)
    return published.select_related("instrument", "model_version").defer("payload")


def latest_forecast(instrument: Instrument, horizon: int) -> Forecast | None:
    """Return the newest published forecast for an instrument, preferably the champion's, or None."""
    return latest_forecasts(horizon, among=[instrument.pk]).get(instrument.pk)


def latest_forecasts(horizon: int, *, among: Collection[int] | None = None) -> dict[int, Forecast]:
    """Map instrument keys to the newest published forecast, for all instruments or those in `among`; one query.

    Between a promotion and the new champion's first publication these are its predecessor's forecasts.
    """
    instruments = Instrument.objects.all() if among is None else Instrument.objects.filter(pk__in=among)
    found = published_forecasts().filter(_key_among(instruments.values(newest=_newest_key(OuterRef("pk"), horizon))))
    return {forecast.instrument_id: forecast for forecast in found}


def latest_by_horizon(instrument: Instrument) -> dict[int, Forecast]:
    """Map each horizon to the instrument's newest published forecast; one query."""
    instruments = Instrument.objects.filter(pk=instrument.pk)
    keys = [instruments.values(newest=_newest_key(OuterRef("pk"), horizon)) for horizon in HORIZONS]
    found = published_forecasts().filter(_key_among(keys[0].union(*keys[1:], all=True)))
    return {
        forecast.horizon_sessions: forecast
        for forecast in sorted(found, key=lambda forecast: forecast.horizon_sessions)
    }


def published_keys(*, version: ModelVersion, origin: date, kinds: Collection[str]) -> set[tuple[int, int]]:
    """Return (instrument key, horizon) of the forecasts that the version published from `origin`."""
    forecast = Forecast.objects.filter(model_version=version, origin=origin, kind__in=kinds)
    return set(forecast.values_list("instrument_id", "horizon_sessions"))


def first_published_keys(*, origin: date) -> set[tuple[int, int]]:
    """Return (instrument key, horizon) of each live or late forecast from `origin`, whatever the version."""
    forecast = Forecast.objects.filter(origin=origin, kind__in=FIRST_KINDS)
    return set(forecast.values_list("instrument_id", "horizon_sessions"))


def forecast_by_id(forecast_id: int) -> Forecast:
    """Return one stored forecast with all related rows, inputs included. Raises ForecastUnknown."""
    stored = Forecast.objects.select_related("instrument", "model_version", "toolchain", "inputs")
    forecast = stored.filter(pk=forecast_id).first()
    if forecast is None:
        raise ForecastUnknown(forecast_id)
    return forecast


def forecast_with_provenance(forecast_id: int) -> Forecast:
    """Return one stored forecast with its provenance; other columns of related rows are loaded on access.

    Raises ForecastUnknown.
    """
    found: list[Any] = list(Forecast.objects.raw(PROVENANCE_SQL, {"forecast": forecast_id}))
    if not found:
        raise ForecastUnknown(forecast_id)
    forecast = found[0]
    for relation, (model, names) in RELATED_COLUMNS.items():
        key = getattr(forecast, f"{relation}_id")
        values = [getattr(forecast, f"{relation}_{name}") for name in names]
        row = None if key is None else model.from_db(forecast._state.db, ["id", *names], [key, *values])
        setattr(forecast, relation, row)
    return cast(Forecast, forecast)


def replayable_forecast(forecast_id: int) -> Forecast:
    """Return a stored forecast that has stored inputs. Raises ForecastUnknown, ReplayImpossible."""
    forecast = Forecast.objects.filter(pk=forecast_id).only("inputs_id").first()
    if forecast is None:
        raise ForecastUnknown(forecast_id)
    if forecast.inputs_id is None:
        raise ReplayImpossible(forecast_id, "it is an abstention without inputs")
    return forecast


def has_hindcasts(version: ModelVersion) -> bool:
    """Return whether the version has hindcasts."""
    return Forecast.objects.filter(model_version=version, kind=Forecast.Kind.HINDCAST).exists()


def any_hindcasts() -> bool:
    """Return whether any version has hindcasts."""
    return Forecast.objects.filter(kind=Forecast.Kind.HINDCAST).exists()


def _key_among(keys: QuerySet[Any, Any]) -> Func:
    """Match the keys with `= ANY(ARRAY(...))`, because `IN` makes PostgreSQL read the whole table."""
    return Func(
        F("pk"),
        ArraySubquery(keys),
        arg_joiner=" = ANY(",
        template="(%(expressions)s))",
        output_field=BooleanField(),
    )


def _newest_key(instrument: Any, horizon: int) -> Coalesce:
    """Return the key of the champion's newest published forecast for an instrument, else of any version's."""
    published = Forecast.objects.filter(instrument=instrument, horizon_sessions=horizon, kind__in=PUBLISHED_KINDS)
    champion = ModelVersion.objects.filter(stage=ModelVersion.Stage.CHAMPION).values("pk")[:1]
    by_champion = published.filter(model_version=Subquery(champion)).order_by("-origin")
    by_any_version = published.order_by("-origin", "-id")
    return Coalesce(Subquery(by_champion.values("pk")[:1]), Subquery(by_any_version.values("pk")[:1]))
