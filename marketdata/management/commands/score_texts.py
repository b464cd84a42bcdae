"""`manage.py score_texts`: how good the news in each line of a file is; needs no server."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.errors import ScorerUnavailable
from marketdata.sentiment.catalog import SCORER_NAMES, scorer_named

BAD_ARGUMENTS = 2
SHOWN_WIDTH = 100
SCORE_DECIMALS = 4


class Command(BaseCommand):
    help = (
        "Score the texts of a UTF-8 file, one a line: positive, neutral or negative, and a score from -1 to 1. An "
        "empty line counts as a text without news, so that line n of the file is text n of the answer. Exits with 0, "
        "1 when the scorer cannot be used, 2 for a file that cannot be read or written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", help="a text file, one text a line")
        parser.add_argument("--json", metavar="OUT", help='write {"texts": [{"label", "score"}, ...]} to this file')
        parser.add_argument("--scorer", choices=SCORER_NAMES, help="by default the one of HINDCAST_SENTIMENT_SCORER")

    def handle(self, *args: Any, **options: Any) -> None:
        texts = _lines_of(options["path"])
        try:
            scorer = scorer_named(
                options["scorer"] or settings.HINDCAST_NEWS.scorer, finbert_model=settings.HINDCAST_NEWS.finbert_model
            )
            scores = scorer.score(texts)
        except ScorerUnavailable as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            body = {"texts": [{"label": one.label, "score": round(one.score, SCORE_DECIMALS)} for one in scores]}
            _write(options["json"], json.dumps(body, indent=2) + "\n")
        else:
            for text, one in zip(texts, scores, strict=True):
                self.stdout.write(f"{one.label:<8}  {one.score:+.2f}  {_shortened(text)}")
        counts = {label: sum(one.label == label for one in scores) for label in ("positive", "neutral", "negative")}
        told = ", ".join(f"{count:,} {label}" for label, count in counts.items())
        self.stdout.write(f"{len(scores):,} texts by {scorer.name}: {told}.")


def _lines_of(path: str) -> list[str]:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise CommandError(f"There is no file {path}.", returncode=BAD_ARGUMENTS) from error
    except IsADirectoryError as error:
        raise CommandError(f"{path} is a folder; name a text file.", returncode=BAD_ARGUMENTS) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=BAD_ARGUMENTS) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not a UTF-8 text file.", returncode=BAD_ARGUMENTS) from error
    if "\0" in text:
        raise CommandError(f"{path} is not a text file.", returncode=BAD_ARGUMENTS)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise CommandError(f"{path} is empty.", returncode=BAD_ARGUMENTS)
    return lines


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=BAD_ARGUMENTS) from error


def _shortened(text: str) -> str:
    """One line of a terminal, without what would steer it."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text[: SHOWN_WIDTH + 1])
    return shown if len(shown) <= SHOWN_WIDTH else f"{shown[: SHOWN_WIDTH - 1]}…"
