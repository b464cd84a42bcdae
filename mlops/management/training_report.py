"""How a training is told in a terminal."""

from rich.console import Console
from rich.table import Table

from mlops.models import ModelVersion
from mlops.scorecard import HEADINGS, scorecard
from mlops.services.training import Training

WIDTH = 110


def training_report(training: Training, *, coloured: bool) -> str:
    """The figures of the hold-out as a table, then what became of the version."""
    console = Console(force_terminal=coloured, width=WIDTH)
    with console.capture() as printed:
        console.print(score_table(training.version))
        console.print(outcome_sentence(training), soft_wrap=True, highlight=False)
    return printed.get()


def score_table(version: ModelVersion) -> Table:
    """Accuracy beside its base rate, and what the intervals covered, for every horizon of the hold-out."""
    table = Table(
        title=f"{version} on held-out sessions {version.holdout_first} to {version.holdout_last}",
        caption="right: direction; vol. rises: right about that; base: how often it rose; 80, 95, 99 %: share inside",
    )
    for column in HEADINGS:
        table.add_column(column, justify="right", no_wrap=True)
    for score in scorecard(version.metrics):
        table.add_row(*score.cells)
    return table


def outcome_sentence(training: Training) -> str:
    """What became of the version and why."""
    version, evaluation = training.version, training.evaluation
    trained = f"Trained {version} through {version.trained_through} in {version.train_seconds:.1f} s."
    if evaluation is None and version.stage == ModelVersion.Stage.CHAMPION:
        return f"{trained} It is the first version, so it is the champion."
    if evaluation is None:
        return f"{trained} It was not promoted. {training.remark}"
    if version.stage == ModelVersion.Stage.CHAMPION:
        return f"{trained} It is the champion now. {evaluation.reason}"
    return f"{trained} It was not promoted; {evaluation.champion} stays. {evaluation.reason}"
