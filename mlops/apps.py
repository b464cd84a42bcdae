"""Registers the app with Django."""

from django.apps import AppConfig


class MlopsConfig(AppConfig):
    name = "mlops"
    verbose_name = "Models"
    default_auto_field = "django.db.models.BigAutoField"
