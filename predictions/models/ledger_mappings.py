"""Which columns the payloads of the ledger hold, per table."""

from predictions.ledger_payload import LedgerMapping
from predictions.models.forecast import Forecast
from predictions.models.ledger_head import LedgerHead
from predictions.models.outcome import Outcome

# Of a forecast's inputs, model and toolchain the content counts, not the key.
FORECAST_MAPPING = LedgerMapping(
    Forecast,
    contents={
        "inputs_sha256": "inputs__sha256",
        "model_sha256": "model_version__artifact_sha256",
        "toolchain": "toolchain__versions",
    },
    omitted=frozenset({"inputs_id", "toolchain_id"}),
)
OUTCOME_MAPPING = LedgerMapping(Outcome)
# Heads are identified by their day, and a signature covers the hash.
HEAD_MAPPING = LedgerMapping(LedgerHead, omitted=frozenset({"id", "signature"}))
