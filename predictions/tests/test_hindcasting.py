"""Hindcasts: by the right fit, from the right origins, once, scored, not announced."""

from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from marketdata.models import DailyBar, Instrument
from marketdata.providers.sample import SampleProvider
from marketdata.services.ingestion import ingest_all
from marketdata.services.instruments import ensure_sample_instruments
from mlops import artifacts
from mlops.dataset import load_panel
from mlops.forecasting.fitting import fit_bundle
from mlops.forecasting.storage import save_bundle
from mlops.forecasting.types import no_progress
from mlops.models import ModelVersion
from mlops.tests.conftest import artifact_root, fresh_memory
from mlops.tests.factories import small_fit
from predictions.models import Forecast, LedgerHead, Outcome
from predictions.selectors.forecasts import has_hindcasts
from predictions.selectors.metrics import MetricsQuery, metrics_of
from predictions.services.hindcasting import HindcastReport, hindcast
from predictions.services.publishing import publish_forecasts
from predictions.tests.factories import NOW, at, model_version

__all__ = ["artifact_root", "fresh_memory"]

pytestmark = pytest.mark.django_db

NEWEST, LEARNED = date(2023, 9, 21), date(2023, 9, 14)


@pytest.fixture
def champion(artifact_root: Path, fresh_memory: None, empty_store: None) -> ModelVersion:
    """A small fit on two shipped stocks that has learned from sessions up to 14 September 2023."""
    instruments = ensure_sample_instruments()[:2]
    Instrument.objects.exclude(pk__in=[instrument.pk for instrument in instruments]).delete()
    ingest_all(through=NEWEST, now=NOW, instruments=instruments, providers=[SampleProvider()])
    panel = load_panel(instruments=instruments, through=LEARNED)
    bundle = fit_bundle(panel, through=LEARNED, settings=small_fit(), progress=no_progress)

    def fill(folder: Path) -> None:
        for name in ("serving", "holdout"):
            (folder / name).mkdir()
            save_bundle(bundle, folder / name)

    written = artifacts.write(root=artifact_root, name="v1", fill=fill)
    return model_version(
        artifact_sha256=written.sha256,
        holdout_trained_through=LEARNED,
        holdout_first=date(2023, 9, 15),
        holdout_last=NEWEST,
        trained_through=NEWEST,
    )


@pytest.mark.slow
def test_each_unseen_session_is_hindcast_once_and_scored(champion: ModelVersion) -> None:
    later = datetime(2026, 1, 5, tzinfo=UTC)
    progress: list[tuple[int, int]] = []
    # The 15th, 18th, 19th and 20th lie between what the fit has learned from and the newest session, the 21st.
    assert hindcast(
        sessions=120, clock=at(later), on_progress=lambda done, total: progress.append((done, total))
    ) == HindcastReport(first=date(2023, 9, 15), last=date(2023, 9, 20), sessions=4, created=32, scored=8)
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    rows = Forecast.objects.all()
    assert set(rows.values_list("kind", "recorded_at")) == {("hindcast", later)}
    # One session ahead of each of the four, for two stocks, lies within the bars; five sessions do not.
    assert set(Outcome.objects.values_list("forecast__horizon_sessions", flat=True)) == {1}
    assert has_hindcasts(champion)
    assert metrics_of(MetricsQuery(None)).scored == {"live": 0, "late": 0, "republished": 0, "hindcast": 8}
    again = hindcast(sessions=120, clock=at(later))
    assert (again.created, again.scored) == (0, 0)


@pytest.mark.slow
def test_a_hindcast_knows_nothing_later(champion: ModelVersion) -> None:
    """Hindcasts from the 19th equal the forecasts made when bars ended on the 19th."""
    hindcast(sessions=2, clock=at(NOW))
    origin = date(2023, 9, 19)
    in_hindsight = _numbers(kind="hindcast", origin=origin)
    DailyBar.objects.filter(session__gt=origin).delete()
    publish_forecasts(clock=at(NOW))
    assert len(in_hindsight) == 8
    assert _numbers(kind="late", origin=origin) == in_hindsight


@pytest.mark.slow
def test_a_manual_publication_is_covered_by_the_head_of_the_day(champion: ModelVersion) -> None:
    call_command("publish", stdout=StringIO())
    head = LedgerHead.objects.get()
    assert head.count == Forecast.objects.count() == 8
    call_command("publish", origin="2023-09-20", stdout=StringIO())
    assert LedgerHead.objects.get() == head


def _numbers(**wanted: Any) -> list[tuple[Any, ...]]:
    rows = Forecast.objects.filter(**wanted).order_by("instrument_id", "horizon_sessions")
    return list(rows.values_list("instrument_id", "horizon_sessions", "predicted_price", "probability_up", "lower_95"))


def test_without_a_model_the_command_says_what_to_do(db: None) -> None:
    with pytest.raises(CommandError, match=r"Run `manage.py train` first.$"):
        call_command("hindcast")


def test_a_number_of_sessions_that_cannot_be_is_a_bad_argument(db: None) -> None:
    with pytest.raises(CommandError, match="--sessions must be at least 1, not 0") as error:
        call_command("hindcast", sessions=0)
    assert error.value.returncode == 2


def test_without_unseen_sessions_nothing_is_hindcast(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    model_version()
    call_command("hindcast")
    assert capsys.readouterr().out == ("No trading day lies between the end of training and the latest price.\n")
