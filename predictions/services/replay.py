"""Replay: a stored forecast computed again, from its input block and the registered files of its model."""

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
from predictions.models import Forecast, ForecastInput
from predictions.models.forecast_row import ForecastRow, InputKey
from predictions.readpath.replays import Replay, answer
from predictions.sealing import COLUMNS, link
from predictions.selectors.forecasts import forecast_by_id
from predictions.selectors.ledger import sealed_rows
from predictions.services.ledger import sha256_of, stored_texts, unpacked
from predictions.services.rows import Occasion, rows_of

log = structlog.get_logger(__name__)

COMPUTED = (
    "status", "reasons", "last_price", "predicted_price", "probability_up", "base_rate_up", "probability_beats_median",
    "signal", "signal_meaning", "signal_reason", "confidence", "lower_80", "upper_80", "lower_95", "upper_95",
    "lower_99", "upper_99", "volatility_rises", "big_move", "risk_level", "drivers",
)  # fmt: skip
FAILED = "the computation failed, and operators have been told"


def answer_replay(*, token: str, forecast_id: int, now: datetime) -> None:
    """Replay for whoever waits under `token`; a second call answers the same again."""
    try:
        answer(Replay(token, forecast_id, outcome=replay_forecast(forecast_id=forecast_id, now=now)))
    except ReplayImpossible as error:
        log.warning("replay_impossible", forecast=forecast_id, reason=error.reason)
        answer(Replay(token, forecast_id, refusal=error.reason))
    except Exception:
        answer(Replay(token, forecast_id, refusal=FAILED))
        raise


def replay_forecast(*, forecast_id: int, now: datetime) -> dict[str, Any]:
    """Compute a stored forecast again and say whether every stored digit comes out, and if not, what differs.

    The model's files are read and checked anew. Raises ForecastUnknown, and ReplayImpossible when the forecast
    abstained, or its numbers or its model's files are not the registered ones.
    """
    forecast = forecast_by_id(forecast_id)
    again = stored_texts(_again(forecast))
    row = next(sealed_rows(after=forecast.pk - 1, through=forecast.pk))
    stored, recomputed = dict(zip(COLUMNS, row.texts, strict=True)), dict(zip(COLUMNS, again, strict=True))
    differences = [
        {"field": name, "stored": stored[name], "recomputed": recomputed[name]}
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
        "seal_holds": link(row.previous_hash, row.said) == row.entry_hash,
        "replayed_at": now.isoformat(),
    }


def _again(forecast: Forecast) -> ForecastRow:
    """The row that the stored block and the registered files make."""
    if forecast.inputs is None:
        raise ReplayImpossible(forecast.pk, "it abstained, so nothing was computed")
    block = _numbers(forecast, forecast.inputs)
    version = forecast.model_version
    try:
        bundle = load_bundle_checked(version, forecast.fit)
    except ArtifactCorrupt as error:
        reason = f"the files of model {version.version} are not those that were registered: {error.reason}"
        raise ReplayImpossible(forecast.pk, reason) from error
    spoken = forecast_blocks(bundle, block[None], (forecast.symbol,))
    (one,) = (each for each in spoken if each.horizon_sessions == forecast.horizon_sessions)
    occasion = Occasion(version, forecast.origin, forecast.kind, forecast.recorded_at, forecast.toolchain)
    inputs = {(one.symbol, one.horizon_sessions): InputKey(forecast.inputs.pk, forecast.inputs.sha256)}
    instruments = {one.symbol: forecast.instrument}
    return next(rows_of([one], instruments, occasion, inputs=inputs, tick=forecast.tick))


def _numbers(forecast: Forecast, inputs: ForecastInput) -> FloatArray:
    """The block's numbers, shape (20, k + 2), after they were found to be the sealed ones."""
    raw = unpacked(bytes(inputs.block))
    if raw is None or sha256_of(raw) != inputs.sha256:
        raise ReplayImpossible(forecast.pk, "the numbers it was computed from are not those that were sealed")
    numbers: FloatArray = np.frombuffer(raw, dtype="<f8").astype(np.float64)
    return numbers.reshape(inputs.rows, inputs.columns)
