"""Drivers of a forecast: features with the largest contributions to the boosted trees."""

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.features.registry import DESCRIPTIONS
from mlops.forecasting.types import FloatArray

MOST_DRIVERS = 5


@dataclass(frozen=True, slots=True)
class Driver:
    """A feature and its contribution, through the trees, to the published log odds of a rise."""

    name: str
    words: str
    contribution: float
    direction: str


def top_drivers(names: tuple[str, ...], contributions: FloatArray) -> list[tuple[Driver, ...]]:
    """Return up to five features with the largest contributions to each logit, strongest first.

    contributions: shape (n, k), in log odds, for `names`.
    """
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :MOST_DRIVERS]
    strongest = np.take_along_axis(contributions, order, axis=1)
    words = [DESCRIPTIONS[name] for name in names]
    return [
        tuple(
            [
                Driver(names[column], words[column], contribution, "up" if contribution > 0 else "down")
                for column, contribution in zip(columns, moved, strict=True)
                if contribution != 0
            ]
        )
        for columns, moved in zip(order.tolist(), strongest.tolist(), strict=True)
    ]
