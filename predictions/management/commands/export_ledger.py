"""`manage.py export_ledger PATH`: write the ledger as JSON lines for docs/verify_ledger.py."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from predictions.selectors.ledger import chain_rows

STANDARD_OUTPUT = "-"
UNFINISHED = ".unfinished-"


class Command(BaseCommand):
    help = "Write every forecast with its hashes and hashed payload, one JSON object per line, oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", help="output file; - is standard output")
        parser.add_argument("--after", type=int, default=0, metavar="ID", help="start after this forecast")

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        try:
            with _opened(options["path"]) as file:
                for row in chain_rows(after=options["after"]):
                    file.write(row.line)
                    count += 1
        except OSError as error:
            raise CommandError(f"{options['path']} cannot be written: {error.strerror}.") from error
        if options["path"] != STANDARD_OUTPUT:
            self.stdout.write(f"{count} forecasts written to {options['path']}.")


@contextmanager
def _opened(path: str) -> Iterator[IO[str]]:
    """Yield a file that appears at `path` once everything is written."""
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
