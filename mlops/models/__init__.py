"""Tables of model versions, alias changes, training runs and evaluations.

Imported by every layer of mlops and by higher apps; rules across rows are in services.
"""

from mlops.models.alias_change import AliasChange
from mlops.models.evaluation import Evaluation
from mlops.models.model_version import ModelVersion
from mlops.models.training_run import TrainingRun

__all__ = ["AliasChange", "Evaluation", "ModelVersion", "TrainingRun"]
