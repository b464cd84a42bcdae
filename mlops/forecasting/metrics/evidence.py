"""Sequential test of direction accuracy against "always up", at interim looks fixed in advance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import stdtrit

from mlops.forecasting.metrics.interim_looks import (
    FEWEST_FORECASTS,
    FIRST_LOOK_BLOCKS,
    block_sessions,
    needed_forecasts,
)
from mlops.forecasting.types import HORIZONS, FloatArray

# Probability that a model without skill is ever called skilful, at any look and horizon.
ERROR = 0.05


class SkillVerdict(StrEnum):
    """Result of the test so far."""

    SKILL = "skill"
    NO_SKILL = "no skill"
    NOT_ENOUGH = "not enough evidence"


@dataclass(frozen=True, slots=True)
class DaySums:
    """Counts of one target session: forecasts, correct ones, rises."""

    n: int
    hits: int
    ups: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Result, and the number of forecasts the first look needs."""

    verdict: SkillVerdict
    needed_n: int


def evidence_of(days: Sequence[DaySums], *, horizon_sessions: int) -> Evidence:
    """Test whether direction accuracy exceeds the share of rises on the same forecasts; days oldest first.

    Forecasts of one session move together and those of neighbouring sessions overlap, so whole blocks of two horizons
    are the observations. Looks are at 10, 20, 40, ... blocks; between them the latest result applies. The error of 5%
    is divided over the horizons and over the looks (half of it to the first, a quarter to the second, and so on), so
    that a model without skill is ever called skilful in at most 5% of cases. Raises ValueError if horizon_sessions < 1.
    """
    if horizon_sessions < 1:
        raise ValueError(f"a horizon of {horizon_sessions} sessions")
    counts = np.array([(day.n, day.hits - day.ups) for day in days], dtype=np.float64).reshape(-1, 2)
    needed = needed_forecasts(horizon_sessions, per_session=float(counts[:, 0].mean()) if len(counts) else 1.0)
    length = block_sessions(horizon_sessions)
    blocks = counts[: len(counts) // length * length].reshape(-1, length, 2).sum(axis=1)
    if len(blocks) < FIRST_LOOK_BLOCKS or counts[:, 0].sum() < FEWEST_FORECASTS:
        return Evidence(SkillVerdict.NOT_ENOUGH, needed)
    look = int(math.log2(len(blocks) / FIRST_LOOK_BLOCKS))
    seen = blocks[: FIRST_LOOK_BLOCKS * 2**look]
    error = ERROR / len(HORIZONS) / 2 ** (look + 1)
    return Evidence(
        SkillVerdict.SKILL if lower_bound(seen, horizon_sessions, error) > 0 else SkillVerdict.NO_SKILL, needed
    )


def lower_bound(blocks: FloatArray, horizon_sessions: int, error: float) -> float:
    """Return the one-sided lower bound, at this error, of correct minus rises per forecast.

    blocks: shape (b, 2), forecasts, and correct minus rises, of each block. Uses the ratio of sums with Student's
    quantile at b - 1; its variance is inflated for the overlap of neighbouring blocks.
    """
    count, length, h = len(blocks), block_sessions(horizon_sessions), horizon_sessions
    total, lead = blocks[:, 0].sum(), blocks[:, 1].sum() / blocks[:, 0].sum()
    residuals = blocks[:, 1] - lead * blocks[:, 0]
    shared = (h * h - 1) / 6
    inflation = 1 + 2 * shared / (length * h - 2 * shared)
    variance = count / (count - 1) * float((residuals**2).sum()) * inflation / total**2
    return float(lead - stdtrit(count - 1, 1 - error) * math.sqrt(variance))
