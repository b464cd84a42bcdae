"""Paths of the forecasts under `/api/v1/`."""

from django.urls import path
from django.views.generic import RedirectView

from predictions.api.schema import documented_predict

app_name = "predictions-api"
urlpatterns = [
    path("predict", documented_predict, name="predict"),
    path("predict/", RedirectView.as_view(pattern_name="predictions-api:predict", query_string=True, permanent=True)),
]
