"""Why the probability is what it is: the features that moved the boosted trees most, in words."""

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.features.words import words_for
from mlops.forecasting.types import FloatArray

MOST_DRIVERS = 5


@dataclass(frozen=True, slots=True)
class Driver:
    """One feature and what it does, through the trees, to the published log odds of a rise."""

    name: str
    words: str
    contribution: float
    direction: str


def top_drivers(names: tuple[str, ...], contributions: FloatArray) -> tuple[Driver, ...]:
    """The five features that moved the logit most, strongest first; those without any effect are left out.

    contributions: shape (k,), in log odds, for `names`.
    """
    order = np.argsort(-np.abs(contributions), kind="stable")[:MOST_DRIVERS]
    return tuple(
        Driver(
            name=names[place],
            words=words_for(names[place]),
            contribution=float(contributions[place]),
            direction="up" if contributions[place] > 0 else "down",
        )
        for place in order.tolist()
        if contributions[place] != 0
    )
