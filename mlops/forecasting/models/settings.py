"""Hyperparameters of the members."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TreeSettings:
    """Gradient boosting: shallow trees in heavy leaves, because a deeper one learns the noise."""

    max_depth: int = 2
    n_estimators: int = 100
    learning_rate: float = 0.05
    min_child_weight: float = 200.0
    subsample: float = 0.5


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """The LSTM: its size, and when its training stops."""

    hidden: int = 32
    dropout: float = 0.3
    most_epochs: int = 5
    batch: int = 512
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    validation_share: float = 0.15
    most_rows_per_epoch: int = 60_000


@dataclass(frozen=True, slots=True)
class QuantileSettings:
    """Quantile regression of interval widths; each of `folds` periods is left out in turn."""

    folds: int = 3
    max_depth: int = 2
    n_estimators: int = 80
    learning_rate: float = 0.05
    min_child_weight: float = 200.0
    subsample: float = 0.5
    most_rows: int = 30_000


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """Settings of a member's fit; equal settings and samples give equal bytes."""

    seed: int
    threads: int = 1
    trees: TreeSettings = field(default_factory=TreeSettings)
    sequence: SequenceSettings = field(default_factory=SequenceSettings)
    quantiles: QuantileSettings = field(default_factory=QuantileSettings)
    inverse_penalty: float = 1e-3
