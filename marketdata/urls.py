"""Paths of fragments about market data."""

from django.urls import path

from marketdata.views import news

app_name = "marketdata"
urlpatterns = [path("<str:symbol>/news", news, name="news")]
