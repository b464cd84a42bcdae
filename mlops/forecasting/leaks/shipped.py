"""The parts that are shipped, as the checks look at them: features, fits, the replay of the past, splits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mlops.forecasting.bundle import Bundle
from mlops.forecasting.ensemble import WeightRange
from mlops.forecasting.features import build_features
from mlops.forecasting.fitting import FitSettings, fit_bundle
from mlops.forecasting.leaks.feature_functions import FeatureTable
from mlops.forecasting.leaks.fit_checks import Rows
from mlops.forecasting.learning import learning_set
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings, TreeSettings
from mlops.forecasting.out_of_fold import out_of_fold_predictions
from mlops.forecasting.serving import InstrumentForecast, forecast_panel
from mlops.forecasting.splits import purged_splits
from mlops.forecasting.storage import INDEX, save_bundle
from mlops.forecasting.types import HORIZONS, FloatArray, Panel, no_progress

FOLDS = 3
SEED = 1
NUMBERS = ("predicted_price", "probability_up", "probability_beats_median", "volatility_rises", "big_move")
# Every part of a fit, each small: what leaks does so in a small model too.
SMALL = MemberSettings(
    seed=SEED,
    trees=TreeSettings(n_estimators=20, min_child_weight=20.0),
    sequence=SequenceSettings(hidden=8, most_epochs=1),
)
# Half of the members' opinion counts, so that what they read reaches the forecast whatever the length of the history.
SETTINGS = FitSettings(seed=SEED, members=SMALL, search=False, weights=WeightRange(0.5, 0.5))


def shipped_features(panel: Panel) -> FeatureTable:
    """All features that the models look at, and the volatility that they are scaled by."""
    cube = build_features(panel)
    return FeatureTable(
        names=(*cube.direction_names, *cube.volatility_names, "ewma_sigma"),
        values=np.concatenate([cube.direction, cube.volatility, cube.ewma_sigma[:, :, None]], axis=2),
    )


@dataclass(frozen=True, slots=True)
class FittedBundle:
    """A bundle as something that has learned."""

    bundle: Bundle

    def statistics(self) -> Mapping[str, FloatArray]:
        """Its files: every number of the index by its path, the members byte by byte."""
        learned: dict[str, FloatArray] = {}
        with TemporaryDirectory() as folder:
            save_bundle(self.bundle, Path(folder))
            for file in sorted(Path(folder).iterdir()):
                if file.name == INDEX:
                    learned |= _numbers(json.loads(file.read_text(encoding="utf-8")), "bundle")
                else:
                    learned[file.name] = np.frombuffer(file.read_bytes(), dtype=np.uint8).astype(np.float64)
        return learned

    def forecasts(self, panel: Panel, origin: date) -> FeatureTable:
        """Every number of its forecasts; NaN where it abstains."""
        predicted = forecast_panel(self.bundle, panel, origin=origin)
        cells = [dict(_cells(forecast)) for forecast in predicted]
        names = tuple(sorted({name for cell in cells for name in cell}))
        by_forecast = np.array([[cell.get(name, np.nan) for name in names] for cell in cells])
        merged = by_forecast.reshape(len(panel.symbols), len(HORIZONS), len(names))
        values = np.where(np.isnan(merged).all(axis=1), np.nan, np.nan_to_num(merged).sum(axis=1))
        return FeatureTable(names, values[None])


def shipped_fit(panel: Panel, through: date) -> FittedBundle:
    """A small fit of everything up to `through`."""
    return FittedBundle(fit_bundle(panel, through=through, settings=SETTINGS, progress=no_progress))


def shipped_replay(panel: Panel) -> FeatureTable:
    """Return out-of-fold log odds of every head and their base rates."""
    learned = learning_set(panel)
    past = out_of_fold_predictions(learned, SETTINGS.for_members(), no_progress)
    parts = (("log odds", past.logits), ("base rate", past.base_rates))
    fields = [(f"{kind} {head}", part[head]) for kind, part in parts for head in part]
    names = tuple(f"{name} +{horizon}" for name, _ in fields for horizon in HORIZONS)
    values = np.full((*panel.close.shape, len(names)), np.nan)
    values[past.rows, past.columns] = np.concatenate([numbers for _, numbers in fields], axis=1)
    return FeatureTable(names, values)


def shipped_split(rows: Rows, horizon: int) -> Sequence[tuple[Rows, Rows]]:
    """The folds of the grid search."""
    return purged_splits(rows, horizon=horizon, folds=FOLDS)


def _cells(predicted: InstrumentForecast) -> Iterator[tuple[str, float]]:
    """The numbers of one forecast, each with its horizon in its name."""
    for name in NUMBERS:
        value = getattr(predicted, name)
        if value is not None:
            yield f"{name} +{predicted.horizon_sessions}", value
    for level, (lower, upper) in predicted.intervals.items():
        yield f"lower_{level} +{predicted.horizon_sessions}", lower
        yield f"upper_{level} +{predicted.horizon_sessions}", upper


def _numbers(part: object, path: str) -> dict[str, FloatArray]:
    """The numbers in a JSON value by their path; a list of numbers is one array."""
    if isinstance(part, dict):
        return {name: each for key, value in part.items() for name, each in _numbers(value, f"{path}.{key}").items()}
    if isinstance(part, list) and not all(isinstance(value, int | float | None) for value in part):
        return {name: each for at, value in enumerate(part) for name, each in _numbers(value, f"{path}[{at}]").items()}
    if isinstance(part, str):
        return {path: np.frombuffer(part.encode(), dtype=np.uint8).astype(np.float64)}
    return {path: np.array(part, dtype=np.float64)}
