"""Paths of the pages."""

from django.urls import path

from predictions.views.record import model, models, record
from predictions.views.stocks import chart, home, stock

app_name = "predictions"
urlpatterns = [
    path("", home, name="home"),
    path("stocks/<str:symbol>", stock, name="stock"),
    path("stocks/<str:symbol>/chart", chart, name="chart"),
    path("record", record, name="record"),
    path("models", models, name="models"),
    path("models/<str:version>", model, name="model"),
]
