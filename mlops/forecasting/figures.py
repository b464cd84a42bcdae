"""Nested report values, ready for JSON; undefined values are None."""

import json
import math
from typing import Any

import numpy as np

from mlops.forecasting.types import FloatArray

Figures = dict[str, Any]


def json_ready(figures: Any) -> Any:
    """Convert to JSON types: string keys, lists, and None for non-finite numbers."""
    if isinstance(figures, dict):
        return {str(name): json_ready(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [json_ready(value) for value in figures]
    if isinstance(figures, float) and not math.isfinite(figures):
        return None
    return json.loads(json.dumps(figures))


def mean_of(values: FloatArray) -> float:
    """Return the mean; NaN if empty."""
    return float(values.mean()) if len(values) else float("nan")


def share_of(flags: np.ndarray) -> float:
    """Return the share of true values; NaN if empty."""
    return mean_of(flags.astype(np.float64))
