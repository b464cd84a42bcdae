"""Registers the project itself, so that its commands are found and every process has the Celery application."""

from importlib import import_module

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "config"
    verbose_name = "Hindcast"

    def ready(self) -> None:
        import_module("config.celery")
