"""Tests of `manage.py train`: output, refused arguments and exit codes."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from mlops.forecasting.types import Panel
from mlops.management.training_report import outcome_sentence, training_report
from mlops.models import Evaluation, ModelVersion, TrainingRun
from mlops.services.training import Training
from mlops.tests.broker import Sent
from mlops.tests.factories import model_version, stored_bars

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_memory", "champion_key")]


def train(*arguments: str) -> str:
    """Return the output of the command."""
    printed = StringIO()
    call_command("train", *arguments, stdout=printed, stderr=StringIO())
    return printed.getvalue()


def test_a_training_is_printed_as_one_json_object(
    artifact_root: Path,
    market: Panel,
    sent: Sent,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    stored_bars(market)
    through = market.sessions[-2].astype(object)
    with django_capture_on_commit_callbacks(execute=True):
        facts = json.loads(train("--seed", "7", "--through", through.isoformat(), "--json"))
    assert sent.messages()[0] == ("predictions.announce", [])
    version = ModelVersion.objects.get()
    assert (version.seed, version.trained_through, version.note) == (7, through, "manage.py train")
    assert (facts["version"], facts["stage"], facts["decision"]) == ("v1", "champion", None)
    assert facts["artifact_sha256"] == version.artifact_sha256
    assert facts["trained_through"] == through.isoformat()
    assert [score["horizon_sessions"] for score in facts["scores"]] == [1, 5, 10, 20]
    assert facts["reason"].endswith("First version; now in production.")
    assert (TrainingRun.objects.get().status, TrainingRun.objects.get().pk) == ("done", facts["run"])


def test_the_table_shows_each_accuracy_next_to_its_baseline() -> None:
    lines = training_report(Training(model_version("v1", stage="champion"), None), coloured=False)
    assert "v1, hold-out test from 2022-09-21 to 2023-09-21" in lines
    figures = next(line for line in lines.splitlines() if "1,482" in line)
    cells = [cell.strip() for cell in figures.strip("│").split("│")]
    assert cells == [
        "5", "1,482", "54.8%", "54.6%", "0.521", "0.247", "80.2%", "95.1%", "99.0%", "66.1%", "50.2%",
    ]  # fmt: skip


def test_the_outcome_of_a_comparison_is_printed_with_its_reason() -> None:
    champion, challenger = model_version("v1", stage="champion"), model_version("v2")
    evaluation = Evaluation(champion=champion, challenger=challenger, reason="Log-loss is 1% higher.")
    stored = outcome_sentence(Training(challenger, evaluation))
    assert stored == (
        "Trained v2 on data to 2023-09-21 in 12.5 s. Not promoted; v1 stays in production. Log-loss is 1% higher."
    )
    promoted = outcome_sentence(Training(champion, Evaluation(champion=challenger, reason="Log-loss is 1% lower.")))
    assert promoted == "Trained v1 on data to 2023-09-21 in 12.5 s. Promoted; now in production. Log-loss is 1% lower."
    uncompared = outcome_sentence(Training(challenger, None, remark="v2 was trained but not compared."))
    assert uncompared.endswith("Not promoted. v2 was trained but not compared.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seed", "-1"], "--seed must be a whole number from 0 to 9223372036854775807, not '-1'."),
        (["--seed", "seven"], "--seed must be a whole number from 0 to 9223372036854775807, not 'seven'."),
        (["--seed", "9223372036854775808"], "not '9223372036854775808'."),
        (["--through", "yesterday"], "--through must be a date such as 2023-09-21, not 'yesterday'."),
        (["--through", "2023-02-30"], "--through must be a date such as 2023-09-21, not '2023-02-30'."),
    ],
)
def test_a_bad_argument_is_one_sentence_and_exit_code_2(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as caught:
        train(*[f"{arguments[0]}={arguments[1]}"])
    assert str(caught.value).endswith(sentence)
    assert caught.value.returncode == 2
    assert not TrainingRun.objects.exists()


def test_without_bars_the_error_names_the_next_command(artifact_root: Path) -> None:
    with pytest.raises(CommandError) as caught:
        train()
    assert str(caught.value) == (
        "Not enough price history to train: 0 sessions, 776 needed. Run `manage.py ingest` first."
    )
    assert caught.value.returncode == 1
    assert TrainingRun.objects.get().status == "failed"
