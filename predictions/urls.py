"""Paths of the pages."""

from django.urls import path

from predictions.views import chart, home, stock

app_name = "predictions"
urlpatterns = [
    path("", home, name="home"),
    path("stocks/<str:symbol>", stock, name="stock"),
    path("stocks/<str:symbol>/chart", chart, name="chart"),
]
