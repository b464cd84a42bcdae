"""Tables of forecasts, inputs, outcomes, accuracy, batches and the ledger.

Imported by every layer of predictions and by alerts; rules across rows are in services.
"""

from predictions.models.accuracy_snapshot import AccuracySnapshot
from predictions.models.accuracy_totals import AccuracyDay
from predictions.models.batch_job import BatchJob, BatchPiece
from predictions.models.forecast import Forecast
from predictions.models.forecast_input import ForecastInput
from predictions.models.head_publication import HeadPublication, WitnessedHead
from predictions.models.ledger_check import LedgerCheck
from predictions.models.ledger_head import LedgerHead
from predictions.models.ledger_key import LedgerKey
from predictions.models.outcome import Outcome
from predictions.models.scoring_progress import PendingForecast, ScoringProgress
from predictions.models.toolchain import Toolchain

__all__ = [
    "AccuracyDay",
    "AccuracySnapshot",
    "BatchJob",
    "BatchPiece",
    "Forecast",
    "ForecastInput",
    "HeadPublication",
    "LedgerCheck",
    "LedgerHead",
    "LedgerKey",
    "Outcome",
    "PendingForecast",
    "ScoringProgress",
    "Toolchain",
    "WitnessedHead",
]
