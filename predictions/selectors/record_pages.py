"""Contents of the record and model pages; a fixed number of queries."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from mlops.models import AliasChange, ModelVersion
from mlops.scorecard import HorizonScore, scorecard
from mlops.selectors import CHAMPION
from predictions.accuracy_metrics import TOTAL_NAMES, ForecastMetrics, compute_metrics
from predictions.models import AccuracySnapshot, Forecast, Outcome
from predictions.models.accuracy_snapshot import ALL_TIME
from predictions.selectors.metrics import MetricsQuery, MetricsReport, metrics_of

KINDS = (Forecast.Kind.LIVE.value, Forecast.Kind.LATE.value, Forecast.Kind.HINDCAST.value)
STOCKS_PER_PAGE = 50
CALLS_SHOWN = 6
SUMS = ("horizon_sessions", *TOTAL_NAMES)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The record of one kind and horizon over all time."""

    kind: str
    scored: Mapping[str, int]
    metrics: MetricsReport
    verdict: str
    needed_n: int | None
    due: date | None
    stocks: Page[dict[str, Any]]
    right: list[Outcome]
    wrong: list[Outcome]
    outside: list[Outcome]

    @property
    def figures(self) -> ForecastMetrics:
        """Metrics over all stocks."""
        return self.metrics.figures

    @property
    def says_only_up(self) -> bool:
        """Whether all forecasts predicted "up": recall is 1 and accuracy equals the base rate."""
        return self.figures["recall"] == 1 and self.figures["accuracy"] == self.figures["base_rate"]

    @property
    def overdue(self) -> int:
        """Number of forecasts of this kind, all horizons, whose target passed without a closing price."""
        return self.metrics.overdue[self.kind]

    @property
    def misses(self) -> int:
        """Number of wrong directions."""
        return self.figures["n"] - self.figures["hits"]


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One version with its hold-out, live and hindcast metrics for one horizon, and its time in use."""

    version: ModelVersion
    holdout: Mapping[str, Any] | None
    live: ForecastMetrics | None
    hindcast: ForecastMetrics | None
    served: list[AliasChange]


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One version with its hold-out test and its record."""

    version: ModelVersion
    holdout: list[HorizonScore]
    by_kind: list[tuple[str, MetricsReport]]
    served: list[AliasChange]


def record_page(*, kind: str | None, horizon: int, page: str | int = 1) -> RecordPage:
    """Return the record of `kind`; without a kind live forecasts once one is scored, else hindcasts."""
    metrics = metrics_of(MetricsQuery(kind, horizon))
    shown = metrics.kind
    judged = next((row for row in metrics.by_horizon if row["horizon"] == horizon), {})
    return RecordPage(
        kind=shown,
        scored=metrics.scored,
        metrics=metrics,
        verdict=judged.get("verdict", AccuracySnapshot.Verdict.NOT_ENOUGH.value),
        needed_n=judged.get("needed_n"),
        due=None if metrics.figures["n"] else _due(shown, horizon, metrics.as_of),
        stocks=_stocks(shown, horizon, page),
        right=_calls(metrics, horizon, direction_right=True),
        wrong=_calls(metrics, horizon, direction_right=False),
        outside=_calls(metrics, horizon, inside_95=False),
    )


def model_lines(horizon: int) -> list[ModelLine]:
    """Return all versions, newest first."""
    figures = {
        (row["model_version_id"], row["kind"]): compute_metrics(row)
        for row in _whole().filter(horizon_sessions=horizon, kind__in=KINDS).values("model_version_id", "kind", *SUMS)
    }
    served: dict[int, list[AliasChange]] = defaultdict(list)
    for change in AliasChange.objects.filter(alias=CHAMPION):
        served[change.version_id].append(change)
    return [
        ModelLine(
            version,
            version.metrics.get("horizons", {}).get(str(horizon)),
            figures.get((version.pk, "live")),
            figures.get((version.pk, "hindcast")),
            served[version.pk],
        )
        for version in ModelVersion.objects.order_by("-created_at", "-pk")
    ]


def model_page(version: ModelVersion, *, horizon: int) -> ModelPage:
    """Return one version with the metrics of each kind and their course over time for one horizon."""
    by_kind = [
        (kind, metrics_of(MetricsQuery(kind, horizon, version=version.version))) for kind in Forecast.Kind.values
    ]
    served = list(AliasChange.objects.filter(alias=CHAMPION, version=version))
    scored_kinds = [(kind, metrics) for kind, metrics in by_kind if metrics.by_horizon]
    return ModelPage(version, scorecard(version.metrics), scored_kinds, served)


def _due(kind: str, horizon: int, as_of: date | None) -> date | None:
    """Return the next pending target session."""
    forecasts = Forecast.objects.filter(kind=kind, horizon_sessions=horizon, status=Forecast.Status.ISSUED)
    ahead = forecasts if as_of is None else forecasts.filter(target__gt=as_of)
    return ahead.order_by("target").values_list("target", flat=True).first()


def _whole() -> QuerySet[AccuracySnapshot]:
    return AccuracySnapshot.objects.filter(window_days=ALL_TIME, instrument=None, model_version__isnull=False)


def _stocks(kind: str, horizon: int, page: str | int) -> Page[dict[str, Any]]:
    """Return a page of stocks by symbol, with their metrics under `figures`."""
    rows = AccuracySnapshot.objects.filter(
        kind=kind, horizon_sessions=horizon, window_days=ALL_TIME, model_version=None, instrument__isnull=False
    ).order_by("instrument__symbol", "instrument_id")
    named = rows.values("instrument__symbol", "instrument__name", *SUMS)
    shown: Page[dict[str, Any]] = Paginator(named, STOCKS_PER_PAGE).get_page(page)
    shown.object_list = [
        {"symbol": row["instrument__symbol"], "name": row["instrument__name"], "figures": compute_metrics(row)}
        for row in shown.object_list
    ]
    return shown


def _calls(metrics: MetricsReport, horizon: int, **filters: bool) -> list[Outcome]:
    """Return the latest outcomes that match the filters, by target session."""
    if metrics.as_of is None:
        return []
    met = Outcome.objects.filter(
        revision=0,
        forecast__kind=metrics.kind,
        forecast__horizon_sessions=horizon,
        forecast__target__lte=metrics.as_of,
        **filters,
    )
    with_stocks = met.select_related("forecast__instrument").order_by("-forecast__target", "-forecast_id")
    return list(with_stocks[:CALLS_SHOWN])
