"""Paths of market data under `/api/v1/`."""

from django.urls import path

from marketdata.api.sentiment import SentimentView

app_name = "marketdata-api"
urlpatterns = [path("sentiment/<str:symbol>", SentimentView.as_view(), name="sentiment")]
