"""Tables of model versions, alias changes, training runs and evaluations."""

from mlops.models.alias_change import AliasChange
from mlops.models.evaluation import Evaluation
from mlops.models.model_version import ModelVersion
from mlops.models.training_run import TrainingRun

__all__ = ["AliasChange", "Evaluation", "ModelVersion", "TrainingRun"]
