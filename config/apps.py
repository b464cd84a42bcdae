"""App config of the project: makes its commands available and loads the Celery application."""

from importlib import import_module

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "config"
    verbose_name = "Hindcast"

    def ready(self) -> None:
        import_module("config.celery")
