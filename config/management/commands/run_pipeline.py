"""`manage.py run_pipeline after_close --on 2023-09-21`: run a pipeline now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.http.problems import PROBLEMS
from config.pipelines import PIPELINES, StepReport
from marketdata import clock
from marketdata.management.arguments import read_date


class Command(BaseCommand):
    help = "Run a pipeline for a closed session. Idempotent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pipeline", help=f"one of: {', '.join(PIPELINES)}")
        parser.add_argument(
            "--on", metavar="DATE", help="session date, e.g. 2023-09-21 (default: the latest closed session)"
        )

    def handle(self, *args: Any, pipeline: str, on: str | None, **options: Any) -> None:
        run = PIPELINES.get(pipeline)
        if run is None:
            raise CommandError(f"Unknown pipeline {pipeline!r}. Available: {', '.join(PIPELINES)}.")
        session = read_date("--on", on) if on else None
        try:
            run(on=session, clock=clock.now, on_step=lambda step: self.stdout.write(_line(step)))
        except tuple(PROBLEMS) as error:
            raise CommandError(str(error)) from error


def _line(step: StepReport) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in step.counts.items())
    return f"{step.name:<8} {step.seconds:7.2f} s   {counts}"
