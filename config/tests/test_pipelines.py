"""The pipeline after the close: what runs, in which order, twice, and for which days."""

from datetime import UTC, date, datetime

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from accounts.models import User
from alerts.models import Alert, Rule
from config.pipelines import PipelineReport, SessionNotClosed, StepReport, after_close, closed_session
from config.tasks import run_after_close
from marketdata.errors import SessionUnknown
from marketdata.models import DailyBar, Instrument
from mlops.errors import NoChampion
from mlops.models import ModelVersion
from predictions.conf import HORIZONS
from predictions.models import Forecast, LedgerHead, Outcome
from predictions.tests.factories import NOW, ORIGIN, TARGET, at, forecasts, model_version, stock

MONDAY_NIGHT = datetime(2023, 9, 26, 1, 0, tzinfo=UTC)  # 21:00 on Monday the 25th in New York


@pytest.fixture
def apple(db: None) -> Instrument:
    """Apple with the champion's four forecasts from 14 September 2023 and a person who waits for a price above 1."""
    model_version()
    apple = stock()
    forecasts([apple], HORIZONS)
    person = User.objects.create_user("person@example.org", "a long password")
    Rule.objects.create(user=person, instrument=apple, kind=Rule.Kind.PRICE_ABOVE, threshold=1, created_at=NOW)
    return apple


def counts(report: PipelineReport) -> dict[str, dict[str, int | str]]:
    return {step.name: dict(step.counts) for step in report.steps}


def test_pipeline_ingests_scores_publishes_and_alerts(apple: Instrument) -> None:
    steps: list[StepReport] = []
    report = after_close(on=ORIGIN, clock=at(NOW), on_step=steps.append)
    assert [step.name for step in steps] == ["ingest", "score", "record", "publish", "head", "alerts"]
    assert report.steps == tuple(steps)
    assert report.session == ORIGIN
    did = counts(report)
    assert (did["ingest"]["instruments"], did["ingest"]["failed"]) == (1, 0)
    assert did["ingest"]["new"] == DailyBar.objects.filter(instrument=apple).count() > 2000
    assert did["publish"] == {"origin": "2023-09-14", "version": "v1", "created": 0, "existing": 4, "abstained": 0}
    assert did["head"] == {"created": 1, "count": 4}
    assert LedgerHead.objects.get().day == NOW.date()
    assert did["alerts"] == {"raised": 1, "delivered": 1}
    assert [message.to for message in mail.outbox] == [["person@example.org"]]


def test_price_alerts_are_sent_without_a_model(apple: Instrument) -> None:
    ModelVersion.objects.update(stage=ModelVersion.Stage.RETIRED)
    with pytest.raises(NoChampion):
        after_close(on=ORIGIN, clock=at(NOW))
    assert [message.to for message in mail.outbox] == [["person@example.org"]]


def test_a_second_run_changes_nothing(apple: Instrument) -> None:
    after_close(on=ORIGIN, clock=at(NOW))
    before = (Alert.objects.count(), Forecast.objects.count(), Outcome.objects.count(), DailyBar.objects.count())
    did = counts(after_close(on=ORIGIN, clock=at(NOW)))
    after = (Alert.objects.count(), Forecast.objects.count(), Outcome.objects.count(), DailyBar.objects.count())
    assert after == before
    assert (did["ingest"]["new"], did["ingest"]["changed"], did["score"]["scored"]) == (0, 0, 0)
    assert did["head"] == {"created": 0, "count": 4}
    assert did["alerts"] == {"raised": 0, "delivered": 0}
    assert len(mail.outbox) == 1


def test_a_forecast_is_scored_when_its_session_has_come(apple: Instrument) -> None:
    # From 14 September: 1 session is the 15th, 5 sessions are the 21st; 10 and 20 lie beyond the sample.
    forecasts([apple], HORIZONS, origin=TARGET)
    did = counts(after_close(on=TARGET, clock=at(NOW)))
    assert did["score"] == {"scored": 2, "waiting": 6, "corrected": 0}
    assert did["record"]["counted"] == 2
    assert set(Outcome.objects.values_list("forecast__target", flat=True)) == {date(2023, 9, 15), TARGET}


def test_without_a_date_it_is_the_last_session_that_closed() -> None:
    assert closed_session(None, MONDAY_NIGHT) == date(2023, 9, 25)
    assert closed_session(date(2023, 9, 22), MONDAY_NIGHT) == date(2023, 9, 22)


def test_a_day_that_is_no_session_is_refused() -> None:
    with pytest.raises(SessionUnknown, match="2023-09-23 is not a session"):
        closed_session(date(2023, 9, 23), MONDAY_NIGHT)


def test_a_session_that_has_not_closed_is_refused() -> None:
    with pytest.raises(SessionNotClosed, match="has not closed yet; the last one that did is 2023-09-25"):
        closed_session(date(2023, 9, 26), MONDAY_NIGHT)


def test_the_command_prints_what_each_step_did(apple: Instrument, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("run_pipeline", "after_close", on="2023-09-14")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ingest", "score", "record", "publish", "head", "alerts"]
    assert all(" s   " in line for line in lines)
    assert "existing 4" in lines[3]


@pytest.mark.parametrize(
    ("pipeline", "on", "sentence"),
    [
        ("nightly", None, "Unknown pipeline 'nightly'. Available: after_close."),
        ("after_close", "yesterday", "--on must be a date such as 2023-09-21, not 'yesterday'."),
        ("after_close", "2023-09-23", "2023-09-23 is not a session of XNYS."),
        ("after_close", "1700-01-02", "1700-01-02 is not a session of XNYS."),
    ],
)
def test_the_command_refuses_in_one_sentence(pipeline: str, on: str | None, sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("run_pipeline", pipeline, on=on)
    assert str(refused.value) == sentence


@pytest.mark.django_db
def test_without_a_model_the_command_says_so_after_the_steps_that_ran(capsys: pytest.CaptureFixture[str]) -> None:
    stock()
    with pytest.raises(CommandError, match="No model has been trained yet"):
        call_command("run_pipeline", "after_close", on="2023-09-21")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ingest", "score", "record", "alerts"]


def test_the_task_takes_an_iso_date(apple: Instrument) -> None:
    run_after_close(ORIGIN.isoformat())
    assert Alert.objects.count() == 1
