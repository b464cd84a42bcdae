"""Paths of the forecasts under `/api/v1/`."""

from django.urls import path

from predictions.api.record import HistoryView, MetricsView
from predictions.api.schema import documented_predict

app_name = "predictions-api"
urlpatterns = [
    path("predict", documented_predict, name="predict"),
    path("history/<str:symbol>", HistoryView.as_view(), name="history"),
    path("metrics", MetricsView.as_view(), name="metrics"),
]
