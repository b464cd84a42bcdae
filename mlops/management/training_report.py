"""Terminal report of a training."""

from rich.table import Table

from marketdata.management.reports import rendered
from mlops.models import ModelVersion
from mlops.scorecard import HEADINGS, scorecard
from mlops.services.training import Training

WIDTH = 110


def training_report(training: Training, *, coloured: bool) -> str:
    """Return the hold-out metrics as a table and the outcome as a sentence."""
    return rendered([score_table(training.version), outcome_sentence(training)], coloured=coloured, width=WIDTH)


def score_table(version: ModelVersion) -> Table:
    """Build the table of accuracy, baseline and interval coverage at every horizon of the hold-out."""
    table = Table(
        title=f"{version}, hold-out test from {version.holdout_first} to {version.holdout_last}",
        caption="accuracy: direction; baseline: always up; vol.: volatility rises; 80, 95, 99%: interval coverage",
    )
    for column in HEADINGS:
        table.add_column(column, justify="right", no_wrap=True)
    for score in scorecard(version.metrics):
        table.add_row(*score.cells)
    return table


def outcome_sentence(training: Training) -> str:
    """Describe whether the version was promoted and why."""
    version, evaluation = training.version, training.evaluation
    trained = f"Trained {version} on data to {version.trained_through} in {version.train_seconds:.1f} s."
    if evaluation is None and version.stage == ModelVersion.Stage.CHAMPION:
        return f"{trained} First version; now in production."
    if evaluation is None:
        return f"{trained} Not promoted. {training.remark}"
    if version.stage == ModelVersion.Stage.CHAMPION:
        return f"{trained} Promoted; now in production. {evaluation.reason}"
    return f"{trained} Not promoted; {evaluation.champion} stays in production. {evaluation.reason}"
