"""Why the probability is what it is: the features that moved the boosted trees most, in words."""

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.features.descriptions import description_of
from mlops.forecasting.types import FloatArray

MOST_DRIVERS = 5


@dataclass(frozen=True, slots=True)
class Driver:
    """One feature and what it does, through the trees, to the published log odds of a rise."""

    name: str
    words: str
    contribution: float
    direction: str


def top_drivers(names: tuple[str, ...], contributions: FloatArray) -> list[tuple[Driver, ...]]:
    """The five features that moved each logit most, strongest first; those without any effect are left out.

    contributions: shape (n, k), in log odds, for `names`.
    """
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :MOST_DRIVERS]
    strongest = np.take_along_axis(contributions, order, axis=1)
    words = [description_of(name) for name in names]
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
