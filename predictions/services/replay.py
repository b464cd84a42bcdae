"""Replay: recompute a stored forecast from its input block and the registered files of its model."""

from datetime import datetime
from typing import Any

import numpy as np
import structlog

from mlops.errors import ArtifactCorrupt
from mlops.forecasting.serving import forecast_blocks
from mlops.forecasting.toolchain import toolchain
from mlops.forecasting.types import FloatArray
from mlops.services.serving import load_bundle_checked
from predictions.errors import ReplayImpossible
from predictions.ledger_payload import canonical_json, chain_hash
from predictions.models import Forecast, ForecastInput
from predictions.models.ledger_mappings import FORECAST_MAPPING
from predictions.readpath.replay_requests import ReplayRequest, store_replay_result
from predictions.selectors.forecasts import forecast_by_id
from predictions.services.input_blocks import checked_numbers
from predictions.services.rows import PublicationContext, forecast_rows

log = structlog.get_logger(__name__)

COMPUTED = (
    "status", "reasons", "last_price", "predicted_price", "probability_up", "base_rate_up", "probability_beats_median",
    "signal", "signal_meaning", "signal_reason", "confidence", "lower_80", "upper_80", "lower_95", "upper_95",
    "lower_99", "upper_99", "volatility_rises", "big_move", "risk_level", "drivers",
)  # fmt: skip
FAILED = "the computation failed; the operators were notified"


def answer_replay(*, token: str, forecast_id: int, now: datetime) -> None:
    """Replay a forecast and store the result under `token`; a second call stores it again."""
    try:
        store_replay_result(
            ReplayRequest(token, forecast_id, outcome=replay_forecast(forecast_id=forecast_id, now=now))
        )
    except ReplayImpossible as error:
        log.warning("replay_impossible", forecast=forecast_id, reason=error.reason)
        store_replay_result(ReplayRequest(token, forecast_id, refusal=error.reason))
    except Exception:
        store_replay_result(ReplayRequest(token, forecast_id, refusal=FAILED))
        raise


def replay_forecast(*, forecast_id: int, now: datetime) -> dict[str, Any]:
    """Recompute a stored forecast and compare every stored digit with the result.

    The model's files are read and checked anew. Raises ForecastUnknown, and ReplayImpossible when the forecast
    abstained, or its numbers or its model's files are not the registered ones.
    """
    forecast = forecast_by_id(forecast_id)
    stored, recomputed = map(FORECAST_MAPPING.fields, (forecast, _recompute(forecast)))
    differences = [
        {"field": name, "stored": _text(stored[name]), "recomputed": _text(recomputed[name])}
        for name in COMPUTED
        if stored[name] != recomputed[name]
    ]
    recorded, used = {} if forecast.toolchain is None else forecast.toolchain.by_name, toolchain()
    return {
        "forecast_id": forecast.pk,
        "identical": not differences,
        "differences": differences,
        "same_toolchain": recorded == used,
        "toolchain_differences": [
            {"name": name, "recorded": recorded.get(name), "used": used.get(name)}
            for name in sorted(recorded.keys() | used.keys())
            if recorded.get(name) != used.get(name)
        ],
        "toolchain": used,
        "model_version": forecast.model_version.version,
        "model_sha256": forecast.model_version.artifact_sha256,
        "fit": str(forecast.fit),
        "inputs_sha256": stored["inputs_sha256"],
        "seal_holds": _seal_holds(forecast),
        "replayed_at": now.isoformat(),
    }


def _seal_holds(forecast: Forecast) -> bool:
    """Whether the payload matches its hash and the columns match the payload."""
    if chain_hash(forecast.previous_hash, forecast.payload) != forecast.entry_hash:
        return False
    try:
        return not FORECAST_MAPPING.differences(forecast, forecast.payload)
    except ValueError:
        return False


def _text(value: Any) -> str | None:
    """Return a payload value as text; lists as JSON."""
    return value if value is None or isinstance(value, str) else canonical_json(value)


def _recompute(forecast: Forecast) -> Forecast:
    """Return the unsaved row that the stored block and the registered files give."""
    if forecast.inputs is None:
        raise ReplayImpossible(forecast.pk, "it abstained, so nothing was computed")
    block = _numbers(forecast, forecast.inputs)
    version = forecast.model_version
    try:
        bundle = load_bundle_checked(version, forecast.fit)
    except ArtifactCorrupt as error:
        reason = f"the files of model {version.version} are not those that were registered: {error.reason}"
        raise ReplayImpossible(forecast.pk, reason) from error
    recomputed = forecast_blocks(bundle, block[None], (forecast.symbol,))
    (one,) = (each for each in recomputed if each.horizon_sessions == forecast.horizon_sessions)
    context = PublicationContext(version, forecast.origin, forecast.kind, forecast.recorded_at, forecast.toolchain)
    inputs = {(one.symbol, one.horizon_sessions): forecast.inputs}
    instruments = {one.symbol: forecast.instrument}
    return next(forecast_rows([one], instruments, context, inputs=inputs, tick=forecast.tick))


def _numbers(forecast: Forecast, inputs: ForecastInput) -> FloatArray:
    """Return the block's numbers, shape (20, k + 2), after comparing them with their hash."""
    raw = checked_numbers(bytes(inputs.block), inputs.sha256)
    if raw is None:
        raise ReplayImpossible(forecast.pk, "its input block does not match its hash")
    numbers: FloatArray = np.frombuffer(raw, dtype="<f8").astype(np.float64)
    return numbers.reshape(inputs.rows, inputs.columns)
