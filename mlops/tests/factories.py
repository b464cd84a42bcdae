"""Rows and files for tests of models."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from marketdata.models import DailyBar, Instrument
from mlops import artifacts
from mlops.forecasting.fitting import FitSettings
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings, TreeSettings
from mlops.forecasting.types import PRICE_FIELDS, Panel
from mlops.models import ModelVersion, TrainingRun

NOW = datetime(2023, 9, 21, 21, 0, tzinfo=UTC)

METRICS = {
    "horizons": {
        "5": {
            "accuracy": 0.548,
            "base_rate": 0.546,
            "n": 1482,
            "auc": 0.521,
            "brier": 0.2471,
            "coverage": {"80": 0.802, "95": 0.951, "99": 0.99},
            "volatility_rises": {"accuracy": 0.661, "auc": 0.72, "base_rate": 0.502},
        },
        "1": {
            "accuracy": 0.517,
            "base_rate": 0.519,
            "n": 1506,
            "auc": None,
            "brier": 0.2502,
            "coverage": {"80": 0.8, "95": 0.95, "99": 0.99},
            "volatility_rises": None,
        },
    }
}


def model_version(version: str = "v1", **fields: Any) -> ModelVersion:
    """A stored row, by default a candidate, without files."""
    row = {
        "version": version,
        "feature_set": "hc3",
        "seed": 7,
        "trained_through": date(2023, 9, 21),
        "holdout_trained_through": date(2022, 9, 20),
        "holdout_first": date(2022, 9, 21),
        "holdout_last": date(2023, 9, 21),
        "artifact_path": version,
        "artifact_sha256": "0" * 64,
        "metrics": METRICS,
        "train_seconds": 12.5,
        "created_at": NOW,
    }
    return ModelVersion.objects.create(**(row | fields))


def version_with_files(version: str = "v1", **fields: Any) -> ModelVersion:
    """A stored row with files of the registered checksum that contain no model."""
    written = artifacts.write(root=artifacts.default_root(), name=version, fill=some_files)
    return model_version(version, artifact_sha256=written.sha256, **fields)


def some_files(folder: Path) -> None:
    """Two small files in the places of the two fits."""
    for name in ("serving", "holdout"):
        (folder / name).mkdir()
        (folder / name / "model.json").write_text(f'{{"fit": "{name}"}}')


def training_run(**fields: Any) -> TrainingRun:
    """A queued training."""
    return TrainingRun.objects.create(**({"reason": "a test", "seed": 7, "requested_at": NOW} | fields))


def small_fit(seed: int = 7) -> FitSettings:
    """Settings of a complete fit with members that train within a second."""
    members = MemberSettings(
        seed=seed, trees=TreeSettings(n_estimators=5), sequence=SequenceSettings(hidden=4, most_epochs=1)
    )
    return FitSettings(seed=seed, search=False, members=members)


def stored_bars(panel: Panel, *, after: date | None = None) -> list[Instrument]:
    """Final daily bars with the panel's values, those after `after` only when given; NaN is no bar."""
    instruments = [
        Instrument.objects.get_or_create(symbol=symbol, defaults={"name": f"{symbol} Inc."})[0]
        for symbol in panel.symbols
    ]
    bars = []
    for row, session in enumerate(panel.sessions.astype(object)):
        for column, instrument in enumerate(instruments):
            values = {name: float(getattr(panel, name)[row, column]) for name in PRICE_FIELDS}
            if (after is None or session > after) and not math.isnan(values["close"]):
                volume = int(values.pop("volume"))
                prices = {name: Decimal(f"{value:.6f}") for name, value in values.items()}
                bars.append(
                    DailyBar(
                        instrument=instrument, session=session, volume=volume, source="sample", fetched_at=NOW, **prices
                    )
                )
    DailyBar.objects.bulk_create(bars)
    return instruments
