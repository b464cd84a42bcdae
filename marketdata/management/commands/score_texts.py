"""`manage.py score_texts`: score the sentiment of each line of a file; needs no server."""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.errors import ScorerUnavailable
from marketdata.management.arguments import BAD_ARGUMENTS
from marketdata.sentiment.catalog import SCORER_NAMES, load_scorer

SHOWN_WIDTH = 100
SCORE_DECIMALS = 4


class Command(BaseCommand):
    help = (
        "Score each line of a UTF-8 file: positive, neutral or negative, and a score from -1 to 1. An empty line is "
        "neutral, so that line n of the file is text n of the output. Exit status: 0, 1 if the scorer is "
        "unavailable, 2 for a file that cannot be read or written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", help="text file, one text per line")
        parser.add_argument("--json", metavar="OUT", help='write {"texts": [{"label", "score"}, ...]} to this file')
        parser.add_argument("--scorer", choices=SCORER_NAMES, help="default: HINDCAST_SENTIMENT_SCORER")

    def handle(self, *args: Any, **options: Any) -> None:
        texts = _lines_of(options["path"])
        out: str | None = options["json"]
        if out is not None and _same_file(out, options["path"]):
            raise CommandError(f"{out} is the input file. Choose another output file.", returncode=BAD_ARGUMENTS)
        try:
            scorer = load_scorer(
                options["scorer"] or settings.HINDCAST_NEWS.scorer, finbert_model=settings.HINDCAST_NEWS.finbert_model
            )
            scores = scorer.score(texts)
        except ScorerUnavailable as error:
            raise CommandError(str(error)) from error
        lines = []
        if out is not None:
            body = {"texts": [{"label": one.label, "score": round(one.score, SCORE_DECIMALS)} for one in scores]}
            _write(out, json.dumps(body, indent=2) + "\n")
        else:
            pairs = zip(texts, scores, strict=True)
            lines = [f"{one.label:<8}  {one.score:+.2f}  {_shortened(text)}" for text, one in pairs]
        counts = {label: sum(one.label == label for one in scores) for label in ("positive", "neutral", "negative")}
        summary = ", ".join(f"{count:,} {label}" for label, count in counts.items())
        number = "1 text" if len(scores) == 1 else f"{len(scores):,} texts"
        self._print([*lines, f"{number} scored by {scorer.name}: {summary}."])

    def _print(self, lines: Iterable[str]) -> None:
        try:
            for line in lines:
                self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:
            # The reader (such as `head`) closed the pipe; the final flush must not fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lines_of(path: str) -> list[str]:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=BAD_ARGUMENTS) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CommandError(
            f"{path} is not a UTF-8 text file: invalid bytes in line {line:,}.", returncode=BAD_ARGUMENTS
        ) from error
    if "\0" in text:
        raise CommandError(f"{path} is not a text file.", returncode=BAD_ARGUMENTS)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise CommandError(f"{path} is empty.", returncode=BAD_ARGUMENTS)
    return lines


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=BAD_ARGUMENTS) from error


def _shortened(text: str) -> str:
    """Shorten to one terminal line without control characters."""
    shown = "".join(char if char.isprintable() else " " for char in text[: SHOWN_WIDTH + 1])
    return shown if len(shown) <= SHOWN_WIDTH else f"{shown[: SHOWN_WIDTH - 1]}…"
