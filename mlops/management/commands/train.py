"""`manage.py train`: train a version on the stored bars, evaluate it and print its metrics."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.management.arguments import read_date, read_whole_number
from mlops.errors import InsufficientHistory, MlopsError
from mlops.jobs import announce_promotion
from mlops.management.progress import report_progress
from mlops.management.training_report import outcome_sentence, training_report
from mlops.scorecard import scorecard
from mlops.services.training import Training, request_training, run_training


class Command(BaseCommand):
    help = (
        "Train a model version on the stored bars, test it on the hold-out sessions, and promote it if it is the first "
        "or not worse than the champion. Exit code 0: trained; 1: not trained; 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", help="whole number; the same seed and bars give the same files")
        parser.add_argument("--through", metavar="DATE", help="train on sessions up to this date (YYYY-MM-DD) only")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")

    def handle(self, *args: Any, **options: Any) -> None:
        run = request_training(
            reason="manage.py train",
            seed=read_whole_number("--seed", options["seed"], settings.HINDCAST_MODELS.seed),
            through=read_date("--through", options["through"]) if options["through"] else None,
            now=clock.now(),
        )
        try:
            with report_progress("training") as progress:
                training = run_training(
                    run_pk=run.pk, settings=settings.HINDCAST_MODELS, clock=clock.now, progress=progress
                )
        except InsufficientHistory as error:
            hint = "" if error.have else " Run `manage.py ingest` first."
            raise CommandError(f"{error}{hint}") from error
        except MlopsError as error:
            raise CommandError(str(error)) from error
        if training is None:
            raise CommandError("A worker is running this training. Follow its progress in the admin.")
        if training.in_production:
            announce_promotion()
        self.stdout.write(
            json.dumps(_json_fields(training, run.pk))
            if options["json"]
            else training_report(training, coloured=self.stdout.isatty())
        )


def _json_fields(training: Training, run_pk: int) -> dict[str, Any]:
    version, evaluation = training.version, training.evaluation
    return {
        "version": version.version,
        "stage": version.stage,
        "run": run_pk,
        "seed": version.seed,
        "trained_through": version.trained_through.isoformat(),
        "holdout": [version.holdout_first.isoformat(), version.holdout_last.isoformat()],
        "artifact_sha256": version.artifact_sha256,
        "train_seconds": version.train_seconds,
        "scores": [asdict(score) for score in scorecard(version.metrics)],
        "decision": None if evaluation is None else evaluation.decision,
        "reason": outcome_sentence(training),
    }
