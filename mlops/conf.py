"""Settings of model training."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Folder of the model files, seed of the training, and length of the hold-out in sessions."""

    artifacts: Path
    seed: int
    holdout_sessions: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be 0 or larger")
        if self.holdout_sessions < 60:
            raise ValueError(f"holdout_sessions is {self.holdout_sessions}; it must be 60 or more")
