"""Paths of the pages about market data."""

from django.urls import path

from marketdata.views import providers

app_name = "marketdata"
urlpatterns = [path("providers", providers, name="providers")]
