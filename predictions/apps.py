"""Registers the app with Django."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from predictions.checks import ledger_is_append_only


class PredictionsConfig(AppConfig):
    name = "predictions"
    verbose_name = "Forecasts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(ledger_is_append_only, Tags.database)
