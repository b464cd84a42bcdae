"""URLs of forecasts under `/api/v1/`."""

from django.urls import path

from predictions.api.batch import BatchCreate, BatchState
from predictions.api.forecasts import ForecastReplay, ReplayAnswer, StoredForecast
from predictions.api.ledger import LedgerEntriesView, LedgerHeadsView, LedgerHeadView, LedgerKeyView
from predictions.api.record import HistoryView, MetricsView
from predictions.api.schema import documented_predict
from predictions.api.witnessed import WitnessedHeadsView

app_name = "predictions-api"
urlpatterns = [
    path("predict", documented_predict, name="predict"),
    path("predict/batch", BatchCreate.as_view(), name="batch"),
    path("predict/batch/<str:batch_id>", BatchState.as_view(), name="batch-job"),
    path("forecasts/<int:forecast_id>", StoredForecast.as_view(), name="forecast"),
    path("forecasts/<int:forecast_id>/replay", ForecastReplay.as_view(), name="replay"),
    path("forecasts/<int:forecast_id>/replay/<str:token>", ReplayAnswer.as_view(), name="replay-answer"),
    path("ledger/head", LedgerHeadView.as_view(), name="ledger-head"),
    path("ledger/heads", LedgerHeadsView.as_view(), name="ledger-heads"),
    path("ledger/key", LedgerKeyView.as_view(), name="ledger-key"),
    path("ledger/witnessed", WitnessedHeadsView.as_view(), name="ledger-witnessed"),
    path("ledger/entries", LedgerEntriesView.as_view(), name="ledger-entries"),
    path("history/<str:symbol>", HistoryView.as_view(), name="history"),
    path("metrics", MetricsView.as_view(), name="metrics"),
]
