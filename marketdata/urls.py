"""URLs of market data pages and fragments."""

from django.urls import path

from marketdata.views import news, prices, providers

app_name = "marketdata"
urlpatterns = [
    path("providers", providers, name="providers"),
    path("stocks/<str:symbol>/prices", prices, name="prices"),
    path("stocks/<str:symbol>/news", news, name="news"),
]
