"""`manage.py evaluate`: walk-forward evaluation on a file of daily bars; needs no server."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.management.arguments import read_date, read_whole_number
from mlops.errors import MlopsError
from mlops.forecasting.backtest.walk_forward import REFITS, YEARLY
from mlops.forecasting.errors import ForecastingError
from mlops.forecasting.figures import Figures
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.types import HORIZONS
from mlops.management.progress import report_progress
from mlops.management.walk_report import walk_report
from mlops.management.walk_rows import walk_page
from mlops.services.walk_forward import WalkPlan, evaluate_file

ALL_HORIZONS = ",".join(map(str, HORIZONS))


class Command(BaseCommand):
    help = (
        "Evaluate the models walk-forward on daily bars of a CSV or Parquet file: fit on the past, forecast up to the "
        "next fit, and score every forecast. The file has one row per symbol and day (symbol, date, close and, "
        "optionally, open, high, low, volume), or a date column and one column of closes per symbol. Exit code 0: "
        "evaluated; 1: not; 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", metavar="PATH", type=Path, required=True, help="CSV in UTF-8, or Parquet")
        parser.add_argument("--test-from", metavar="DATE", required=True, help="first session to forecast from")
        parser.add_argument("--horizons", default=ALL_HORIZONS, help=f"trading days ahead (default {ALL_HORIZONS})")
        parser.add_argument("--refit", default=YEARLY, help=f"how often to refit: {', '.join(REFITS)}")
        parser.add_argument(
            "--sentiment",
            metavar="PATH",
            type=Path,
            help="CSV or Parquet of news: symbol, date (session), score (-1 to 1), articles; adds an ablation",
        )
        parser.add_argument("--json", metavar="OUT", type=Path, help="write all metrics to this file")
        parser.add_argument("--page", metavar="OUT", type=Path, help="write the metrics to this file as Markdown")
        parser.add_argument("--seed", help="whole number; the same seed and bars give the same metrics")
        parser.add_argument("--workers", help="number of parallel fits (default: one per core)")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = WalkPlan(
            path=options["data"],
            test_from=read_date("--test-from", options["test_from"]),
            fit=FitSettings(seed=read_whole_number("--seed", options["seed"], settings.HINDCAST_MODELS.seed)),
            refit=_refit(options["refit"]),
            horizons=_horizons(options["horizons"]),
            workers=read_whole_number("--workers", options["workers"], _cores(), least=1),
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
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _horizons(text: str) -> tuple[int, ...]:
    known = {str(horizon): horizon for horizon in HORIZONS}
    requested = [part.strip() for part in text.split(",")]
    unknown = [part for part in requested if part not in known]
    if unknown:
        raise CommandError(f"Unknown horizon {unknown[0][:32]!r}. Supported: {ALL_HORIZONS}.")
    return tuple(sorted({known[part] for part in requested}))


def _refit(text: str) -> str:
    if text not in REFITS:
        raise CommandError(f"--refit must be one of {', '.join(REFITS)}, not {text[:32]!r}.")
    return text


def _check_outputs(json_out: Path | None, page_out: Path | None, *inputs: Path | None) -> None:
    """Refuse output paths that cannot be written, before minutes of work, and those that would overwrite an input."""
    outs = [out for out in (json_out, page_out) if out is not None]
    used = {path.resolve() for path in inputs if path is not None}
    for out in outs:
        if not out.parent.is_dir():
            raise CommandError(f"{out} cannot be written: there is no folder {out.parent}.")
        if out.is_dir():
            raise CommandError(f"{out} cannot be written: it is a folder.")
        if not os.access(out if out.exists() else out.parent, os.W_OK):
            raise CommandError(f"{out} cannot be written: permission denied.")
        if out.resolve() in used:
            raise CommandError(f"{out} is an input or another output. Choose a different file for each output.")
        used.add(out.resolve())


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
