"""Paths of market data under `/api/v1/`."""

from django.urls import path

from marketdata.api.providers import Providers

app_name = "marketdata-api"
urlpatterns = [path("providers", Providers.as_view(), name="providers")]
