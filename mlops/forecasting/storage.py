"""Bundle files: safetensors, XGBoost's format and JSON, byte-identical for equal bundles, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from mlops.forecasting.bundle import Bundle, FeatureRange, RiskScale, TargetHead
from mlops.forecasting.errors import BundleUnreadable
from mlops.forecasting.features.news import FEATURE_SETS
from mlops.forecasting.intervals.conformal import ConformalIntervals
from mlops.forecasting.intervals.har import VolatilityModel
from mlops.forecasting.models.catalog import MEMBER_NAMES, load_quantile_widths, member_class
from mlops.forecasting.models.settings import TreeSettings
from mlops.forecasting.signals import SignalRule, SignalRules
from mlops.forecasting.types import HORIZONS, FloatArray

FORMAT = 5
INDEX = "bundle.json"
MEMBER_SUFFIXES = (".safetensors", ".ubj")

Json = dict[str, Any]


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle into an existing folder."""
    for name, head in bundle.heads.items():
        for member_name, member in head.members.items():
            member.save(folder, _stem(name, member_name))
    bundle.quantile_width.save(folder)
    files = sorted(file.name for file in folder.iterdir() if file.suffix in MEMBER_SUFFIXES)
    index = json.dumps({**_index_of(bundle), "files": files}, indent=1, sort_keys=True, allow_nan=False)
    (folder / INDEX).write_text(index, encoding="utf-8")


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle. Raises BundleUnreadable for missing, damaged or unknown files."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise BundleUnreadable(f"its format is {index['format']}, and {FORMAT} is needed")
        if index["feature_set"] not in FEATURE_SETS:
            known = " and ".join(FEATURE_SETS)
            raise BundleUnreadable(f"it needs the features {index['feature_set']}, and {known} are computed")
        missing = [name for name in index["files"] if not (folder / name).is_file()]
        if missing:
            raise BundleUnreadable(f"{missing[0]} is missing")
        return _bundle_of(index, folder)
    except BundleUnreadable:
        raise
    except Exception as error:
        # The libraries raise many different errors for damaged bytes.
        raise BundleUnreadable(f"{type(error).__name__}: {str(error)[:200] or 'no details'}") from error


def _index_of(bundle: Bundle) -> Json:
    return {
        "format": FORMAT,
        "feature_set": bundle.feature_set,
        "direction_names": list(bundle.direction_names),
        "volatility_names": list(bundle.volatility_names),
        "symbols": list(bundle.symbols),
        "horizons": list(HORIZONS),
        "trained_through": bundle.trained_through.isoformat(),
        "seed": bundle.seed,
        "trees": asdict(bundle.trees),
        "heads": {name: _index_of_head(head) for name, head in bundle.heads.items()},
        "volatility": {
            "centre": _numbers(bundle.volatility.centre),
            "scale": _numbers(bundle.volatility.scale),
            "coefficients": _numbers(bundle.volatility.coefficients),
        },
        "intervals": {
            "quantiles": _numbers(bundle.intervals.quantiles),
            "calibration_factors": _numbers(bundle.intervals.calibration_factors),
            "blend_weights": _numbers(bundle.intervals.blend_weights),
            "factors": {symbol: _numbers(factors) for symbol, factors in bundle.intervals.factors.items()},
        },
        "rules": {"rise": _index_of_rules(bundle.rules.rise), "lag": _index_of_rules(bundle.rules.lag)},
        "risk_limits": _numbers(bundle.risk.limits),
        "inputs": {
            "names": list(bundle.inputs.names),
            "lowest": _numbers(bundle.inputs.lowest),
            "highest": _numbers(bundle.inputs.highest),
        },
    }


def _index_of_head(head: TargetHead) -> Json:
    return {
        "members": list(head.members),
        "feature_subsets": {name: subset.tolist() for name, subset in head.feature_subsets.items()},
        "base_rates": _numbers(head.base_rates),
        "shifts": _numbers(head.shifts),
        "weights": _numbers(head.weights),
    }


def _index_of_rules(rules: Mapping[int, SignalRule]) -> Json:
    return {str(horizon): asdict(rule) for horizon, rule in rules.items()}


def _bundle_of(index: Json, folder: Path) -> Bundle:
    if index["horizons"] != list(HORIZONS):
        raise BundleUnreadable(f"its horizons are {index['horizons']}")
    inputs, volatility = index["inputs"], index["volatility"]
    intervals = _intervals_of(index["intervals"])
    return Bundle(
        feature_set=index["feature_set"],
        direction_names=tuple(index["direction_names"]),
        volatility_names=tuple(index["volatility_names"]),
        symbols=tuple(index["symbols"]),
        trained_through=date.fromisoformat(index["trained_through"]),
        seed=index["seed"],
        trees=TreeSettings(**index["trees"]),
        heads={name: _head_of(name, head, folder) for name, head in index["heads"].items()},
        volatility=VolatilityModel(**{name: _array(values) for name, values in volatility.items()}),
        intervals=intervals,
        quantile_width=load_quantile_widths(folder, intervals.blend_weights > 0),
        rules=SignalRules(_rules_of(index["rules"]["rise"]), _rules_of(index["rules"]["lag"])),
        risk=RiskScale(_array(index["risk_limits"])),
        inputs=FeatureRange(tuple(inputs["names"]), _array(inputs["lowest"]), _array(inputs["highest"])),
    )


def _head_of(name: str, head: Json, folder: Path) -> TargetHead:
    unknown = sorted(set(head["members"]) - set(MEMBER_NAMES))
    if unknown:
        raise BundleUnreadable(f"it has an unknown member: {unknown[0]}")
    return TargetHead(
        members={member: member_class(member).load(folder, _stem(name, member)) for member in head["members"]},
        feature_subsets={name: np.array(head["feature_subsets"][name], dtype=np.intp) for name in head["members"]},
        base_rates=_array(head["base_rates"]),
        shifts=_array(head["shifts"]),
        weights=_array(head["weights"]),
    )


def _intervals_of(intervals: Json) -> ConformalIntervals:
    factors = {name: _array(row) for name, row in intervals["factors"].items()}
    return ConformalIntervals(
        _array(intervals["quantiles"]),
        _array(intervals["calibration_factors"]),
        _array(intervals["blend_weights"]),
        factors,
    )


def _rules_of(rules: Json) -> dict[int, SignalRule]:
    return {int(horizon): SignalRule(**rule) for horizon, rule in rules.items()}


def _stem(head: str, member: str) -> str:
    return f"{head}.{member}"


def _numbers(values: FloatArray) -> list[Any]:
    """Convert to nested lists with null for NaN; floats round-trip exactly."""
    written = values.astype(object)
    written[~np.isfinite(values)] = None
    listed: list[Any] = written.tolist()
    return listed


def _array(listed: list[Any]) -> FloatArray:
    return np.array(listed, dtype=np.float64)
