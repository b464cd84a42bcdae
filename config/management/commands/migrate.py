"""`manage.py migrate` as the owner of the tables, who then gives the application its rights."""

from typing import Any

from django.core.management.commands import migrate

from config.database.roles import grant_application_rights, owner_connection


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with owner_connection():
            super().handle(*args, **options)
            if not options["check_unapplied"] and not options["plan"]:
                grant_application_rights()
