"""Registers the app with Django, and its checks."""

from importlib import import_module

from django.apps import AppConfig


class MlopsConfig(AppConfig):
    name = "mlops"
    verbose_name = "Models"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("mlops.checks")
