"""Market data URLs under `/api/v1/`."""

from django.urls import path

from marketdata.api.providers import Providers
from marketdata.api.sentiment import SentimentView
from marketdata.api.views import PriceList, QuoteList, SymbolList

app_name = "marketdata-api"
urlpatterns = [
    path("symbols", SymbolList.as_view(), name="symbols"),
    path("prices/<str:symbol>", PriceList.as_view(), name="prices"),
    path("quotes", QuoteList.as_view(), name="quotes"),
    path("providers", Providers.as_view(), name="providers"),
    path("sentiment/<str:symbol>", SentimentView.as_view(), name="sentiment"),
]
