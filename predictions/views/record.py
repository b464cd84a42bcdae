"""Pages `/record`, `/models` and `/models/{version}`: accuracy by kind, horizon and version."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mlops.errors import VersionUnknown
from mlops.selectors import version_named
from predictions.errors import HorizonUnknown
from predictions.record_charts import calibration_chart, coverage_lines, time_chart
from predictions.selectors.record_pages import KINDS, model_lines, model_page, record_page
from predictions.views.horizons import horizon_context, not_found, requested_horizon


@require_safe
def record(request: HttpRequest) -> HttpResponse:
    """Render the record of one kind for one horizon."""
    try:
        horizon = requested_horizon(request)
    except HorizonUnknown as error:
        return not_found(request, error, "record")
    kind = request.GET.get("kind")
    if kind is not None and kind not in KINDS:
        raise Http404(f"kind must be one of {', '.join(KINDS)}.")
    shown = record_page(kind=kind, horizon=horizon, page=request.GET.get("page", "1"))
    charts = {
        "over_time": time_chart(shown.metrics.over_time),
        "calibration": calibration_chart(shown.metrics.calibration),
        "coverage": coverage_lines(shown.figures["coverage"]),
    }
    context = {"record": shown, "kinds": KINDS, "charts": charts}
    return render(request, "predictions/record.html", {**horizon_context("record", horizon), **context})


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Render the list of versions with their figures for one horizon."""
    try:
        horizon = requested_horizon(request)
    except HorizonUnknown as error:
        return not_found(request, error, "models")
    return render(
        request, "predictions/models.html", {**horizon_context("models", horizon), "lines": model_lines(horizon)}
    )


@require_safe
def model(request: HttpRequest, version: str) -> HttpResponse:
    """Render one version: hold-out test, record and time in use."""
    try:
        horizon = requested_horizon(request)
        found = version_named(version)
    except (HorizonUnknown, VersionUnknown) as error:
        return not_found(request, error, "models")
    shown = model_page(found, horizon=horizon)
    by_kind = [(kind, metrics, time_chart(metrics.over_time)) for kind, metrics in shown.by_kind]
    return render(
        request, "predictions/model.html", {**horizon_context("models", horizon), "model": shown, "by_kind": by_kind}
    )
