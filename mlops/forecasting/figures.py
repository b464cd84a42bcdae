"""Figures as they are kept and written: nested by name, None where there is none."""

import json
import math
from typing import Any

import numpy as np

from mlops.forecasting.types import FloatArray

Figures = dict[str, Any]


def json_ready(figures: Any) -> Any:
    """The same as JSON has it: texts as names, lists, and None for what is not finite."""
    if isinstance(figures, dict):
        return {str(name): json_ready(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [json_ready(value) for value in figures]
    if isinstance(figures, float) and not math.isfinite(figures):
        return None
    return json.loads(json.dumps(figures))


def mean_of(values: FloatArray) -> float:
    """The mean, NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")


def share_of(flags: np.ndarray) -> float:
    """How often it is true, NaN of nothing."""
    return mean_of(flags.astype(np.float64))
