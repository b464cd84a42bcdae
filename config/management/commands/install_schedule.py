"""`manage.py install_schedule`: store the schedule of background tasks, after `migrate`."""

from typing import Any

from django.core.management.base import BaseCommand

from config.beat import SCHEDULE, install_schedule


class Command(BaseCommand):
    help = "Store missing schedule entries; entries changed in the admin are kept."

    def handle(self, *args: Any, **options: Any) -> None:
        installed = install_schedule()
        for entry in SCHEDULE:
            self.stdout.write(f"{entry.name}: {'installed' if entry.name in installed else 'already there'}")
