"""`manage.py evaluate`: how good the models are on a file of daily bars, walking forward; needs no server."""

import json
import os
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mlops.errors import MlopsError
from mlops.forecasting.backtest.walk_forward import REFITS, YEARLY
from mlops.forecasting.errors import ForecastingError
from mlops.forecasting.figures import Figures
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.types import HORIZONS
from mlops.management.progress import report_progress
from mlops.management.walk_page import walk_page
from mlops.management.walk_report import walk_report
from mlops.services.walk_forward import WalkPlan, evaluate_file

LARGEST_SEED = 2**63 - 1
ALL_HORIZONS = ",".join(map(str, HORIZONS))


class Command(BaseCommand):
    help = (
        "Judge the models on daily bars of a CSV or Parquet file: fit on the past, forecast up to the next fit, and "
        "meet every forecast with what came. The file has a row a symbol and day (symbol, date, close and, if known, "
        "open, high, low, volume), or a date and a column of closes a symbol. Exits with 0 when it was judged, 1 when "
        "that cannot be done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", metavar="PATH", type=Path, required=True, help="CSV in UTF-8, or Parquet")
        parser.add_argument("--test-from", metavar="DATE", required=True, help="first session that is forecast from")
        parser.add_argument("--horizons", default=ALL_HORIZONS, help=f"sessions ahead (default {ALL_HORIZONS})")
        parser.add_argument("--refit", default=YEARLY, help=f"how often to fit again: {', '.join(REFITS)}")
        parser.add_argument(
            "--sentiment",
            metavar="PATH",
            type=Path,
            help="CSV or Parquet of news: symbol, date (session), score (-1 to 1), articles; judged with and without",
        )
        parser.add_argument("--json", metavar="OUT", type=Path, help="write all figures to this file")
        parser.add_argument("--page", metavar="OUT", type=Path, help="write the figures to this file as Markdown")
        parser.add_argument("--seed", help="whole number; the same seed on the same bars gives the same figures")
        parser.add_argument("--workers", help="processes that fit at the same time (default: one a core)")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = WalkPlan(
            path=options["data"],
            test_from=_date(options["test_from"]),
            fit=FitSettings(seed=_whole("--seed", options["seed"], settings.HINDCAST_MODELS.seed, least=0)),
            refit=_refit(options["refit"]),
            horizons=_horizons(options["horizons"]),
            workers=_whole("--workers", options["workers"], _cores(), least=1),
            news=options["sentiment"],
        )
        written = ((options["json"], _as_json), (options["page"], walk_page))
        _check_outputs(options["json"], options["page"], options["data"], options["sentiment"])
        try:
            with report_progress("evaluating", lines=True) as progress:
                figures = evaluate_file(plan, progress)
        except (MlopsError, ForecastingError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(walk_report(figures, coloured=self.stdout.isatty()))
        for out, shown_as in written:
            if out is not None:
                _write(out, shown_as(figures))


def _as_json(figures: Figures) -> str:
    return json.dumps(figures, indent=2) + "\n"


def _cores() -> int:
    """The cores that this process may use, as far as the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _horizons(text: str) -> tuple[int, ...]:
    known = {str(horizon): horizon for horizon in HORIZONS}
    requested = [part.strip() for part in text.split(",")]
    unknown = [part for part in requested if part not in known]
    if unknown:
        raise CommandError(f"There is no horizon {unknown[0][:32]!r}; there are {ALL_HORIZONS}.")
    return tuple(sorted({known[part] for part in requested}))


def _refit(text: str) -> str:
    if text not in REFITS:
        raise CommandError(f"--refit must be one of {', '.join(REFITS)}, not {text[:32]!r}.")
    return text


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--test-from must be a date such as 2004-01-01, not {text[:32]!r}.") from error


def _whole(option: str, text: str | None, default: int, *, least: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= LARGEST_SEED:
        raise CommandError(f"{option} must be a whole number from {least}, not {text[:32]!r}.")
    return int(text)


def _check_outputs(json_out: Path | None, page_out: Path | None, *inputs: Path | None) -> None:
    """Complain before minutes of work of what could not be written after them, or would take the place of a file."""
    outs = [out for out in (json_out, page_out) if out is not None]
    taken = {path.resolve() for path in inputs if path is not None}
    for out in outs:
        if not out.parent.is_dir():
            raise CommandError(f"{out} cannot be written: there is no folder {out.parent}.")
        if out.is_dir():
            raise CommandError(f"{out} cannot be written: it is a folder.")
        if not os.access(out if out.exists() else out.parent, os.W_OK):
            raise CommandError(f"{out} cannot be written: that is not allowed.")
        if out.resolve() in taken:
            raise CommandError(f"{out} is read here or written twice: give each output a file of its own.")
        taken.add(out.resolve())


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
