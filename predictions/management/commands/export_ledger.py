"""`manage.py export_ledger PATH`: the whole ledger as JSON lines, which anybody can verify without this software."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from predictions.selectors.ledger import sealed_rows

STANDARD_OUTPUT = "-"
UNFINISHED = ".unfinished-"


class Command(BaseCommand):
    help = "Write every forecast exactly as it was hashed, one JSON object a line, oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", help="where to; - writes to the standard output")
        parser.add_argument("--after", type=int, default=0, metavar="ID", help="only forecasts after this one")

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        try:
            with _opened(options["path"]) as file:
                for row in sealed_rows(after=options["after"]):
                    file.write(row.line)
                    count += 1
        except OSError as error:
            raise CommandError(f"{options['path']} cannot be written: {error.strerror}.") from error
        if options["path"] != STANDARD_OUTPUT:
            self.stdout.write(f"{count} forecasts written to {options['path']}.")


@contextmanager
def _opened(path: str) -> Iterator[IO[str]]:
    """The file at `path`, which appears only once everything is written."""
    if path == STANDARD_OUTPUT:
        yield sys.stdout
        return
    target = Path(path)
    with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, prefix=UNFINISHED, delete=False) as file:
        try:
            yield file.file
            file.flush()
            os.chmod(file.name, 0o644)
            os.replace(file.name, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(file.name)
            raise
