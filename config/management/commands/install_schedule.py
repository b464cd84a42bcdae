"""Stores the schedule of background work: `manage.py install_schedule`, after `migrate`."""

from typing import Any

from django.core.management.base import BaseCommand

from config.beat import SCHEDULE, install_schedule


class Command(BaseCommand):
    help = "Store the schedule that is not stored yet; what was changed in the admin stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        installed = install_schedule()
        for entry in SCHEDULE:
            self.stdout.write(f"{entry.name}: {'installed' if entry.name in installed else 'already there'}")
