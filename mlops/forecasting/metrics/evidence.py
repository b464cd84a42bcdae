"""Is a record better than always saying "up", or is there not enough of it yet? Judged at declared looks only."""

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

# The chance that a model without skill is ever called skilful, at any look and any horizon.
ERROR = 0.05


class SkillVerdict(StrEnum):
    """What a record shows so far."""

    SKILL = "skill"
    NO_SKILL = "no skill"
    NOT_ENOUGH = "not enough evidence"


@dataclass(frozen=True, slots=True)
class DaySums:
    """The forecasts of one target session: how many, how many right, how many rose."""

    n: int
    hits: int
    ups: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The verdict, and how many forecasts the first look needs."""

    verdict: SkillVerdict
    needed_n: int


def evidence_of(days: Sequence[DaySums], *, horizon_sessions: int) -> Evidence:
    """Whether the share of right directions is above the share that rose, on the same forecasts; days oldest first.

    Forecasts of one session move together and those of neighbouring sessions overlap, so whole blocks of two horizons
    are the observations. Looks are declared: at 10, 20, 40, ... blocks, and between them the last one stands. The
    error of 5 % is shared out over the horizons and over the looks (half of it to the first, a quarter to the second,
    and so on), so that a model without skill is ever called skilful in at most 5 % of cases, however long it is
    watched. Raises ValueError if horizon_sessions < 1.
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
    """The one-sided lower bound, at this error, of right minus risen per forecast.

    blocks: shape (b, 2), forecasts and right minus risen of each block of sessions. The ratio of the two sums with
    Student's quantile at b - 1, its variance made larger by what overlapping forecasts of neighbouring blocks share if
    calls do not change from day to day.
    """
    count, length, h = len(blocks), block_sessions(horizon_sessions), horizon_sessions
    total, lead = blocks[:, 0].sum(), blocks[:, 1].sum() / blocks[:, 0].sum()
    residuals = blocks[:, 1] - lead * blocks[:, 0]
    shared = (h * h - 1) / 6
    inflation = 1 + 2 * shared / (length * h - 2 * shared)
    variance = count / (count - 1) * float((residuals**2).sum()) * inflation / total**2
    return float(lead - stdtrit(count - 1, 1 - error) * math.sqrt(variance))
