"""What can be set about models."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`artifacts` holds the model files; `seed` makes training repeatable; `holdout_sessions` judge a version."""

    artifacts: Path
    seed: int
    holdout_sessions: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError("the seed must not be negative")
        if self.holdout_sessions < 60:
            raise ValueError("a hold-out of fewer than 60 sessions says nothing")
