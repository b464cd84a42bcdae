"""Speed of publication, next to a minimal implementation and a loop over symbols."""

import gc
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import connection

from benchmarks.frame import machine, own_database, report
from benchmarks.ingest_cases import import_all, make_histories
from benchmarks.publish_floor import published_least
from benchmarks.publish_naive import published_one_by_one
from marketdata.models import Instrument
from mlops import artifacts
from mlops.dataset import load_panel
from mlops.forecasting.ensemble import WeightRange
from mlops.forecasting.features import warm_up
from mlops.forecasting.fitting import FitSettings, fit_bundle
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings
from mlops.forecasting.storage import save_bundle
from mlops.forecasting.toolchain import toolchain
from mlops.forecasting.types import no_progress
from mlops.models import ModelVersion
from mlops.services.serving import bundle_of
from predictions.models import Forecast
from predictions.services.publishing import publish_forecasts
from predictions.services.verification import verify_ledger

NOW = datetime(2023, 9, 21, 12, tzinfo=UTC)
TAUGHT = 25
FEW = 5
LABELS = {
    "ours_s": "publishing: read, features, models, rows, hashes, insert, cached responses (s)",
    "floor_s": "minimal implementation with the same result (s)",
    "naive_s": f"symbol by symbol through the ORM, from {FEW} symbols (s)",
}
MEMBERS = MemberSettings(seed=1, sequence=SequenceSettings(most_epochs=1))
FIT = FitSettings(seed=1, members=MEMBERS, search=False, weights=WeightRange(0.5, 0.5))


def run(*, symbols: int, days: int, rounds: int) -> None:
    """Measure in a database of its own, print a table and, as the last line, one JSON object."""
    on = machine()
    with own_database(), tempfile.TemporaryDirectory() as folder:
        settings.HINDCAST_MODELS = replace(settings.HINDCAST_MODELS, artifacts=Path(folder))
        figures = _measured(symbols, days, rounds)
    title = f"{symbols} symbols x {days:,} sessions, {figures['issued']:,.0f} forecasts issued"
    report("publish", title, LABELS, figures, ratios_of(figures), on)


def _measured(symbols: int, days: int, rounds: int) -> dict[str, float]:
    """Run each case once per round, with a new version, so that nothing is published already."""
    warm_up()
    import_all(make_histories(symbols, days))
    Instrument.objects.update(is_active=True)
    _register()
    issued: dict[str, int] = {}
    seconds: dict[str, list[float]] = {"ours_s": [], "floor_s": [], "naive_s": []}
    cases: dict[str, Callable[[], object]] = {
        "ours_s": lambda: publish_forecasts(clock=lambda: NOW),
        "floor_s": lambda: published_least(now=NOW),
        "naive_s": lambda: published_one_by_one(list(Instrument.objects.order_by("symbol")[:FEW]), now=NOW),
    }
    for number in range(rounds):
        for name, case in cases.items():
            _forget()
            _crown(f"b{number}{name[0]}")
            gc.collect()
            began = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - began)
            issued[name] = Forecast.objects.filter(status="issued").count()
            verify_ledger()
    figures = {name: min(each) for name, each in seconds.items()}
    figures["naive_s"] *= symbols / FEW
    figures["issued"] = issued["ours_s"]
    if issued["floor_s"] != issued["ours_s"]:
        raise SystemExit(f"the floor issued {issued['floor_s']} forecasts, the product {issued['ours_s']}")
    return figures


def _register() -> None:
    """A version whose members have the size of those that serve, fitted quickly."""
    panel = load_panel(instruments=Instrument.objects.order_by("symbol")[:TAUGHT])
    through = panel.sessions[-1].astype(object)
    bundle = fit_bundle(panel, through=through, settings=FIT, progress=no_progress)
    # Its market was a smaller one, and nothing the others do is to be outside of what it has seen.
    anything = np.full(len(bundle.inputs.names), 1e9)
    bundle = replace(bundle, inputs=replace(bundle.inputs, lowest=-anything, highest=anything))

    def fill(folder: Path) -> None:
        for name in ("serving", "holdout"):
            (folder / name).mkdir()
            save_bundle(bundle, folder / name)

    written = artifacts.write(root=artifacts.default_root(), name="bench", fill=fill)
    first = panel.sessions[-2].astype(object)
    ModelVersion.objects.create(
        version="b", stage=ModelVersion.Stage.CANDIDATE, feature_set=bundle.feature_set, seed=1,
        trained_through=through, holdout_trained_through=first, holdout_first=through, holdout_last=through,
        artifact_path=written.name, artifact_sha256=written.sha256, toolchain=toolchain(), metrics={},
        train_seconds=1.0, created_at=NOW,
    )  # fmt: skip


def _forget() -> None:
    """Empty the ledger, past the triggers that refuse it."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE predictions_forecast, predictions_forecastinput CASCADE")
        cursor.execute("SET session_replication_role = DEFAULT")


def _crown(name: str) -> None:
    """A new champion with the same files, in memory already."""
    ModelVersion.objects.filter(stage=ModelVersion.Stage.CHAMPION).update(stage=ModelVersion.Stage.RETIRED)
    version = ModelVersion.objects.get(version="b")
    version.pk, version.version, version.stage = None, name, ModelVersion.Stage.CHAMPION
    version.save()
    bundle_of(version, "serving")


def ratios_of(figures: dict[str, float]) -> dict[str, float]:
    """Return the time of the loop relative to the product's, and the product's relative to the minimum."""
    return {
        "vs_naive": round(figures["naive_s"] / figures["ours_s"], 2),
        "vs_floor": round(figures["ours_s"] / figures["floor_s"], 3),
    }
